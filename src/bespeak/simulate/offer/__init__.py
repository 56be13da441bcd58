"""What a world offers.

stock   item records, and the hidden numbers that behaviour depends on
goods   the shop's, from `ranges`          titles  the streaming service's
art     pictures
"""
