"""What `--help` prints: examples and the flags that one needs, or all flags, or those that a word finds."""

import argparse
import difflib
import math
from collections.abc import Callable, Sequence

from util.errors import UserError

Section = tuple[str, Sequence[argparse.Action]]
"""A title and the flags under it."""

ALL = "all"


class HelpFormatter(argparse.HelpFormatter):
    """Shows a default where it says something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return with_default(action, action.help or "")


def with_default(action: argparse.Action, text: str) -> str:
    """A flag's help and its default, unless that is None, "off", "" or "no limit"."""
    default = action.default
    silent = default is None or default is False or default in ("", argparse.SUPPRESS, math.inf)
    return text if silent or "default:" in text else f"{text} (default: {default})"


def short_help(prog: str, description: str, examples: str, actions: Sequence[argparse.Action]) -> str:
    """Examples, and the few flags that one needs."""
    title = f"the flags that you need ({prog} --help {ALL}: every flag; {prog} --help WORD: those with this word)"
    return _text(prog, f"{description}\n\n{examples}", [(title, actions)])


def full_help(prog: str, description: str, examples: str, sections: Sequence[Section]) -> str:
    """Examples, and every flag."""
    return _text(prog, f"{description}\n\n{examples}", sections)


def help_on(word: str, prog: str, sections: Sequence[Section]) -> str:
    """The flags whose names contain a word, or else those whose descriptions do. UserError: none does."""
    name = word.lstrip("-").lower()
    tests: tuple[Callable[[argparse.Action], bool], ...] = (
        lambda action: name in action.dest.lower(),
        lambda action: name in (action.help or "").lower(),
    )
    for test in tests:
        matching = [(title, [action for action in actions if test(action)]) for title, actions in sections]
        if matching := [(title, actions) for title, actions in matching if actions]:
            return _text(prog, "", matching)
    names = {action.dest.lower(): action.dest for _, actions in sections for action in actions}
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean --help {names[nearest[0]]}?" if nearest else f"--help {ALL} lists every flag"
    raise UserError(f"--help {word}: no flag has this word in its name or description; {hint}")


def _text(prog: str, opening: str, sections: Sequence[Section]) -> str:
    parts = [opening.strip()] if opening.strip() else []
    for title, actions in sections:
        formatter = HelpFormatter(prog)
        formatter.start_section(title)
        formatter.add_arguments(actions)
        formatter.end_section()
        parts.append(formatter.format_help().strip("\n"))
    return "\n\n".join(parts)
