"""What is tried on part of the people, and what decides for everybody.

experiments  who takes part in what                 policies  every change of a placement, and going back
runs         what was said of launches and experiments while they ran
"""
