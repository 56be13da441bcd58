"""Models: arrays in, arrays out; one file per algorithm, each with its paper, formula and cost."""
