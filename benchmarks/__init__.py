"""Benchmarks of kwta: `python -m benchmarks`. A claim about speed in the documentation is a row of one of these."""
