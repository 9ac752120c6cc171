"""Task after task on one generator, by many ways: `python -m benchmarks.lifelong FILE`."""
