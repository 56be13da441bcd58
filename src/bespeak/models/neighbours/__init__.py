"""What alike items and alike people tell.

item_neighbours  items liked by the same people     bought_together  items bought by the same people
user_neighbours  what similar people like           tifu_knn         what people of like habits come back to
meetings         pairs of items, and how many people are behind each
"""
