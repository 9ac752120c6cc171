"""Flags of the scripts. argparse, nothing else."""
