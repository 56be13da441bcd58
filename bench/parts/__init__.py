"""What several benchmarks share: made-up data, a served project, a thin HTTP client, the floor, figures."""
