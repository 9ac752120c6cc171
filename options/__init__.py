"""Flags of the scripts. argparse, nothing else."""

from util.errors import stop_quietly

stop_quietly()  # this package is the first that a script imports, and Ctrl-C may come while the others are imported
