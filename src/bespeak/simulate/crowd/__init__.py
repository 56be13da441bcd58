"""Who lives in a world.

people      tastes, consent, responses     identities  devices, households, forgotten cookies
calendar    when they come and leave       memory      what lasts from day to day
choice      features, utility, clicks
"""
