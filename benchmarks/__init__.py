"""Speed and quality. Each file is a command that prints a table: python -m benchmarks.NAME."""
