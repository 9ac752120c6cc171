"""Look after the tasks of frozen generators.

    python -m models.piggyback list                  list the adapted runs: method, size, donor
    python -m models.piggyback inspect RUN           show its task files, or one file: card, donor, tensors
    python -m models.piggyback verify RUN            prove that taking the task off leaves the donor, bit for bit
    python -m models.piggyback export RUN            write plain weights, latest_net_G.pth, for upstream's test.py
    python -m models.piggyback prune-check RUN       list the tasks that need this run's files; exit code 1 if any does

RUN is a name under --checkpoints_dir or a folder.
"""

import argparse
from pathlib import Path
from pkgutil import resolve_name

from util.commands import CHECKPOINTS_DIR
from util.errors import UserError, run_script

# By name, so that the help is printed without torch, which takes seconds to load.
COMMANDS = {
    "list": "models.piggyback.commands:show_list",
    "inspect": "models.piggyback.commands:inspect",
    "verify": "models.piggyback.commands:verify",
    "export": "models.piggyback.commands:export",
    "prune-check": "models.piggyback.commands:prune_check",
}


def main() -> int:
    args = parse()
    args.checkpoints_dir = Path(args.checkpoints_dir)
    return resolve_name(COMMANDS[args.command])(args)


def parse() -> argparse.Namespace:
    title, *commands = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="python -m models.piggyback",
        description=title,
        epilog="\n".join(commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", default="", metavar="|".join(COMMANDS))
    parser.add_argument("run", nargs="?", default="", help="an adapted run (prune-check: any run)")
    parser.add_argument("--checkpoints_dir", default=CHECKPOINTS_DIR, help="folder of all runs")
    parser.add_argument("--epoch", default="latest", help="which saved epoch: latest, best or a number")
    parser.add_argument("--out", default="", help="export: the folder to write to (<checkpoints_dir>/<RUN>_plain)")
    parser.add_argument("--verbose", action="store_true", help="print tracebacks of errors")
    args = parser.parse_args()
    if args.command not in COMMANDS:
        raise UserError(f"{args.command or 'nothing'}: not a command; there are {', '.join(COMMANDS)} (see --help)")
    if not args.run and args.command != "list":
        raise UserError(f"{args.command}: name a run (python -m models.piggyback list shows the adapted ones)")
    return args


if __name__ == "__main__":
    run_script(main)
