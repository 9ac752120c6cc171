"""A command line that can be read: flags as they are typed, in files, and in what a run recorded."""

import argparse
import difflib
import os
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn

from options.complete.former import FLAGS
from options.complete.help import HelpFormatter
from options.complete.recipes import find_recipe
from util.errors import UserError

Values = Mapping[str, object]
"""Values of flags by their names, without dashes."""

LONGEST_LINE = 10_000  # characters, of a file given as @FILE


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors, `@file` with comments, no abbreviations and a suggestion for unknown flags."""

    def __init__(self, **settings: Any):
        super().__init__(
            fromfile_prefix_chars="@",
            allow_abbrev=False,
            formatter_class=HelpFormatter,
            **settings,
        )

    def _read_args_from_files(self, arg_strings: list[str]) -> list[str]:
        # argparse calls this for the words of a file, too; so recipes name others in the same way.
        words = ["@" + find_recipe(word[1:]) if word.startswith("@") else word for word in arg_strings]
        return super()._read_args_from_files(words)

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        if len(arg_line) > LONGEST_LINE:  # shlex would take the square of it
            raise ValueError(f"it has a line of {len(arg_line)} characters")
        return shlex.split(arg_line, comments=True)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see --help)")

    def actions(self) -> dict[str, argparse.Action]:
        """What argparse knows about each flag, by the flag's name."""
        return {action.dest: action for action in self._actions if action.dest != "help"}

    def defaults(self) -> dict[str, object]:
        return {name: action.default for name, action in self.actions().items()}

    def parse_all(self, argv: list[str] | None, owners: Mapping[str, str]) -> argparse.Namespace:
        """Parse everything. owners: which choice brings a flag (such as "--model pix2pix"), for flags that not every
        command line has. UserError: an unknown flag, with the nearest known one."""
        try:
            opt, unknown = self.parse_known_args(argv)
        except (ValueError, RecursionError) as error:
            raise UserError(f"a file given as @FILE cannot be read as flags: {error}") from error
        if unknown:
            name = unknown[0].split("=")[0].lstrip("-")
            if name in FLAGS:
                raise UserError(
                    f"unknown flag --{name}, of another version of pytorch-CycleGAN-and-pix2pix: {FLAGS[name]}"
                )
            flags = [option for action in self._actions for option in action.option_strings]
            nearest = difflib.get_close_matches(unknown[0].split("=")[0], flags, n=1, cutoff=0.75)
            owner = f" of {owners[nearest[0]]}" if nearest and nearest[0] in owners else ""
            hint = f": did you mean {nearest[0]}{owner}?" if nearest else ""
            raise UserError(f"unknown flag {unknown[0]}{hint} (see --help)")
        return opt


def read_flags(name: str) -> list[str]:
    """The words that `@name` stands for on a command line: those of a file, or of a recipe, without comments.

    UserError: there is no such file, or it cannot be read.
    """
    try:
        return Parser()._read_args_from_files([f"@{name}"])
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} cannot be read as flags: {error}") from error


def checked(recorded: Values, parser: Parser, source: str) -> dict[str, object]:
    """Recorded values, those of flags that the parser knows as if they had been typed. source: named in errors.

    UserError: a value that its flag does not take.
    """
    actions, values = parser.actions(), dict(recorded)
    for name in [name for name in values if name in actions]:
        try:
            values[name] = _as_typed(values[name], actions[name], parser)
        except (argparse.ArgumentError, ValueError) as error:
            raise UserError(f"{source}: {error}; correct it") from error
    return values


def _as_typed(value: object, action: argparse.Action, parser: Parser) -> object:
    """A flag's value from a JSON file, checked by the flag's own type and choices."""
    if value is None and action.default is None:
        return None
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise argparse.ArgumentError(action, f"{value!a:.50} is neither true nor false")
        return value
    if isinstance(value, list) and action.nargs == "+" and value:
        return [_as_typed(one, argparse.Action(action.option_strings, action.dest), parser) for one in value]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise argparse.ArgumentError(action, f"{value!a:.50} is neither a word nor a number")
    form = str(action.metavar or "X")  # --balance positives=X holds the number X
    word = form.replace("X", str(value)) if form.endswith("=X") and not isinstance(value, str) else str(value)
    if not _is_text(word):
        raise argparse.ArgumentError(action, f"{value!a:.50} is no text")
    return parser._get_values(action, [word])  # argparse has no public way to check a single value


def _is_text(word: str) -> bool:
    """Whether a word could have been typed: no zero byte, and no half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False
