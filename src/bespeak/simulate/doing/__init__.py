"""What people do in a visit, and what comes of it later.

acts      what is done, as columns         browsing  slates and shelves
buying    from a look to an order          purchases  what an order says
watching  from a click to the credits      mailing   the newsletter
errands   what is due days later
"""
