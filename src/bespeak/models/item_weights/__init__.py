"""Weights from item to item: a score is the sum of the weights from what somebody did.

ease            closed form, dense                  slist         ... of what comes next
sparse_inverse  ... for large catalogues            graph_filter  three steps on the graph, its smooth part kept
propagation     the links of three such steps
"""
