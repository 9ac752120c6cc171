"""What a flag's value may be: each turns a word of the command line into a number, or says what is wrong with it."""

import argparse
import difflib
import math

GENERATORS = ("unet_64", "unet_128", "unet_256", "resnet_6blocks", "resnet_9blocks", "mobile_resnet_9blocks")
UNETS = ("unet_ronneberger", "unet_small")


def count(word: str) -> int:
    """A whole number from 1 on."""
    return _checked(_whole(word), 1, "must be at least 1")


def whole(word: str) -> int:
    """A whole number from 0 on, small enough to be a seed."""
    return _checked(_whole(word), 0, "must be 0 or more")


def amount(word: str) -> float:
    """A finite number from 0 on."""
    return _checked(_number(word), 0, "must be 0 or more")


def limit(word: str) -> float:
    """How many at most: 1 or more, or inf."""
    value = _number(word)
    return value if value == math.inf else _checked(value, 1, "must be at least 1")


def fraction(word: str) -> float:
    """A number from 0 on, below 1."""
    value = _number(word)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{word} must be 0 or more, and less than 1")
    return value


def share(word: str) -> float:
    """A number between 0 and 1, both left out."""
    value = _number(word)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{word} must lie between 0 and 1")
    return value


def cutoff(word: str) -> float | str:
    """Where foreground begins: a share, `auto`, or TOP,AREA,BOTTOM (kept as that word)."""
    if word == "auto":
        return word
    try:
        if "," not in word:
            float(word)  # what is no number is none of the three
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
    """A generator's name, one of smp in its own spelling (smp:Unet:inception_v3 is smp:unet:tu-inception_v3). Whether
    there is such a network is for its builder to say."""
    if word in (*GENERATORS, *UNETS):
        return word
    if word.lower().startswith("smp:") and word.count(":") == 2:
        _, arch, encoder = word.split(":")
        return f"smp:{arch.lower()}:{'tu-' * (encoder == 'inception_v3')}{encoder}"
    near = difflib.get_close_matches(word, (*GENERATORS, *UNETS), n=1)
    raise argparse.ArgumentTypeError(
        f"{word}: no generator; "
        + (f"did you mean {near[0]}? " if near else "")
        + f"choose {', '.join((*GENERATORS, *UNETS))} or smp:ARCH:ENCODER, such as smp:unet:resnet34"
    )


def part(word: str) -> float:
    """A number above 0 and at most 1."""
    value = _number(word)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{word} must lie above 0 and be at most 1")
    return value


def positives(word: str) -> float:
    """`positives=X`: X lies between 0 and 1, both left out."""
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


def _checked(value: float, least: int, message: str) -> float:
    if not least <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{value} {message}")
    return value
