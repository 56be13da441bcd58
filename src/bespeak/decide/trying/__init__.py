"""Policies beside one another.

by_policy   a decision by the policy that whom it is for gets
interleave  two policies pick in turn for one slate
rewalk      a logged decision walked again, under its policy and another one
foreign     a slate that another system chose and showed
"""
