"""Benchmarks: what was promised, measured. `linernotes bench NAME`, or `python -m bench.NAME`; see `bench.report`."""
