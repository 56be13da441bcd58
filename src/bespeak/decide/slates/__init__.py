"""From scores to what is shown, one position at a time.

slate        mask what the constraints forbid given what is placed, then take
walk         the same without a draw, down the candidates in order of score
constraints  what a placement demands, said of the candidates
exploration  positions that are drawn, with exact propensities
recording    which decisions keep all candidates with their features
beside       what stands above it on the same page, and what that closes
"""
