"""How much an item is liked altogether, lately, among alike people, or by one person again and again.

popularity          how many people like an item     segment_popularity  ... among people of one country, age
recent_popularity   ... lately                       personal_frequency  what a person comes back to
trending            what grows faster than it used to
"""
