"""Why an item is shown, exactly.

explain       the terms of the score as sentences     evidence  the person's own items behind them
tree_reasons  what trees gave, told by signal
"""
