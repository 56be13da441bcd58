"""From the log to the models that decide: training, the sets it stores, evaluation, and an incumbent beside them."""
