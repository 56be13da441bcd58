"""`train`, `report`, `evaluate` and `benchmark`: models and how good they are.

training    evaluation, evaluation_page    benchmark, benchmark_tables
"""
