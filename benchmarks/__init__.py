"""Measurements: each script writes JSONL with date, commit and machine below `benchmarks/results/`."""
