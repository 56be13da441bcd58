"""Why an item is shown, exactly, and why another one is not.

explain   the terms of the score as sentences     evidence  the person's own items behind them
tree_reasons  what trees gave, told by signal     why_not   the rule that keeps an item out, or by how much others lead
"""
