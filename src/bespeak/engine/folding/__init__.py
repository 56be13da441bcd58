"""From the log to the live profiles: what an entry says, the profiles of a batch, segments, and folding people anew."""
