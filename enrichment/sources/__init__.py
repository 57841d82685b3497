"""One file per upstream: what it permits, what it can answer, how to ask, how to read."""
