"""What a flag's value may be: each function turns a typed word into a value, or says what is wrong with the word."""

import argparse
import difflib
import math
from typing import TypeVar

from models.networks import GENERATORS, UNETS

Number = TypeVar("Number", int, float)
NETWORKS = (*GENERATORS, *UNETS)


def count(word: str) -> int:
    """A whole number, at least 1."""
    return _checked(_whole(word), 1, "must be at least 1")


def whole(word: str) -> int:
    """A whole number, at least 0 and small enough to be a seed."""
    return _checked(_whole(word), 0, "must be 0 or more")


def amount(word: str) -> float:
    """A finite number, at least 0."""
    return _checked(_number(word), 0, "must be 0 or more")


def limit(word: str) -> float:
    """The most of something: at least 1, or inf."""
    value = _number(word)
    return value if value == math.inf else _checked(value, 1, "must be at least 1")


def fold(word: str) -> int | str:
    """The number of a fold, -1 for none, or `all`."""
    return word if word == "all" else _checked(_whole(word), -1, "must be 0 or more, or -1 for none")


def stored(word: str) -> str:
    """How many examples are stored: at least 1, or `all`. Returned as typed."""
    return word if word in ("", "all") else str(count(word))


def fraction(word: str) -> float:
    """A number from 0 to 1, without 1."""
    value = _number(word)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{word} must be 0 or more, and less than 1")
    return value


def share(word: str) -> float:
    """A number between 0 and 1, without either."""
    value = _number(word)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{word} must lie between 0 and 1")
    return value


def part(word: str) -> float:
    """A number from 0 to 1, without 0."""
    value = _number(word)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{word} must lie above 0 and be at most 1")
    return value


def stretch(word: str) -> float:
    """A number from 0.1 to 10."""
    value = _number(word)
    if not 0.1 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{word} must be 0.1 to 10")
    return value


def cutoff(word: str) -> float | str:
    """Where foreground begins: a share, `auto`, or TOP,AREA,BOTTOM (returned as typed)."""
    if word == "auto":
        return word
    try:
        if "," not in word:
            float(word)  # ValueError: the message below names all three choices
            return share(word)
        top, area, bottom = word.split(",")
        good = 0 < float(bottom) <= float(top) < 1 <= int(area)
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(
            f"{word}: want a share such as 0.5, auto, or TOP,AREA,BOTTOM: two shares and pixels, such as 0.75,2000,0.3"
        )
    return word


def generator(word: str) -> str:
    """A generator's name. One of segmentation_models_pytorch is brought to the spelling of that library
    (smp:Unet:inception_v3 becomes smp:unet:tu-inception_v3); whether it exists is checked when it is built."""
    if word in NETWORKS:
        return word
    if word.lower().startswith("smp:") and word.count(":") == 2:
        _, arch, encoder = word.split(":")
        return f"smp:{arch.lower()}:{'tu-' * (encoder == 'inception_v3')}{encoder}"
    nearest = difflib.get_close_matches(word, NETWORKS, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise argparse.ArgumentTypeError(
        f"{word}: no generator; {hint}choose {', '.join(NETWORKS)} or smp:ARCH:ENCODER, such as smp:unet:resnet34"
    )


def positives(word: str) -> float:
    """The X of `positives=X`, a number between 0 and 1, without either."""
    name, _, value = word.partition("=")
    if name != "positives":
        raise argparse.ArgumentTypeError(f"{word}: want positives=X, such as positives=0.5")
    return share(value)


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word}: want a whole number") from None


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word}: want a number") from None


def _checked(value: Number, least: int, message: str) -> Number:
    if not least <= value < 2**32:  # the largest seed
        raise argparse.ArgumentTypeError(f"{value} {message}")
    return value
