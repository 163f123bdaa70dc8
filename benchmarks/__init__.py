"""What the SDK costs over the least program that does the same job. Run `python -m benchmarks`."""
