"""Speed and quality. Each file is a command that prints a table: python -m benchmarks.NAME."""

from util.errors import let_threads_sleep

let_threads_sleep()  # here, because most benchmarks import torch before anything of the project
