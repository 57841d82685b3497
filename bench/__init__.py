"""Benchmarks: what was promised about speed, measured. `python -m bench.NAME`."""
