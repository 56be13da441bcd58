"""What is tried on part of the people, and what decides for everybody.

trials       experiments as the file declares them  runs      what was said of them while they ran
experiments  who takes part in what                 policies  every change of a placement, and going back
"""
