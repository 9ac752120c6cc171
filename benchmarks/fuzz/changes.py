"""A sound file of a reader, and how values in it are changed where changed bytes would fail at a checksum."""

import math
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EXTREME = (b"\0", b"\xff", b"\x80", b"\x7f", b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f")
WORDS = (b"-1", b"0", b"1e400", b"nan", b"9" * 400, b"9" * 5000, b"null", b"true", b"[]", b"{}", b'""', b'"\\ud800"')
WORDS += (
    b"\\u0000",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"[" * 200000,
    b"x" * 300000,
    b"[]," * 100000,
    b'"a":[0,0,0],' * 1000,
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"../../x",
    b"\n",
    b",",
    b";",
    b'"',
)

Read = Callable[[Path], object]


@dataclass
class Seed:
    """path: a sound file. read: reads it as pix2mask does. text: whether it holds text. change: writes the file anew
    with some values changed, for files whose bytes nearly always fail at a checksum."""

    path: Path
    read: Read
    text: bool = False
    change: Callable[[random.Random, Path], None] | None = None


def mutated(data: bytes, others: list[bytes], rng: random.Random, text: bool) -> bytes:
    """A file with one to four changes: bits, bytes, spans lost, doubled or taken from another file, an end cut."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 2, 4, 16, 64, 1024)))
        other = rng.choice(others)
        start = rng.randrange(len(other) + 1)
        change = rng.randrange(8)
        if change == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        elif change == 1:
            data = data[:at] + data[end:]
        elif change == 2:
            data = data[:end] + data[at:]
        elif change == 3:
            data = data[:at] + other[start : start + end - at] + data[end:]
        elif change == 4 and rng.random() < 0.3:
            data = data[:at]
        else:
            word = rng.choice(WORDS if text else EXTREME)
            data = data[:at] + word + data[(at if rng.random() < 0.5 else at + len(word)) :]
    return data


def repacking(path: Path) -> Callable[[random.Random, Path], None]:
    """What writes the archive at `path`, of torch.save, with a part changed and all checksums right."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in parts if name.endswith("data.pkl"))

    def change(rng: random.Random, path: Path) -> None:
        name = pickled if rng.random() < 0.8 else rng.choice(list(parts))
        with zipfile.ZipFile(path, "w") as archive:
            for each, data in parts.items():
                archive.writestr(each, mutated(data, [*parts.values()], rng, text=False) if each == name else data)

    return change


def either(*changes: Callable[[random.Random, Path], None]) -> Callable[[random.Random, Path], None]:
    return lambda rng, path: rng.choice(changes)(rng, path)


def changing(value: object, save: Callable[[object, Path], object]) -> Callable[[random.Random, Path], None]:
    """What writes `value` with one to three of its parts changed."""

    def change(rng: random.Random, path: Path) -> None:
        changed = value
        for _ in range(rng.randint(1, 3)):
            changed = _changed(changed, rng)
        try:
            save(changed, path)
        except Exception:  # some values have no place in a file
            path.write_bytes(b"")

    return change


def _changed(value: object, rng: random.Random) -> object:
    """A copy of nested dicts and lists with one part replaced, taken out, or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        how = rng.random()
        if how < 0.1:
            return {name: part for name, part in value.items() if name != key}
        if how < 0.2:
            return {(str(_odd(rng))[:50] if name == key else name): part for name, part in value.items()}
        return value | {key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    return _odd_tensor(value, rng) if hasattr(value, "dtype") and rng.random() < 0.7 else _odd(rng)


def _odd(rng: random.Random) -> object:
    values = (
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        10**400,
        0.5,
        -1e308,
        math.inf,
        math.nan,
        "",
        "x",
        "\0",
        "\ud800",
    )
    return rng.choice((*values, "../../x", "x" * 5000, [], [1, "a"], {}, {"a": 1}, [[[]]], "1e3", "-1", 1e18, 3.0))


def _odd_tensor(value, rng: random.Random) -> object:
    import torch

    shape = [rng.choice((0, 1, 2, 3, 64, 1000)) for _ in range(rng.randrange(6))]
    small = torch.zeros([min(size, 3) for size in shape])
    kinds: list[Callable[[], object]] = [
        lambda: value.double(),
        lambda: value.to(torch.int64),
        lambda: value.to(torch.uint8),
        lambda: value.bool(),
        lambda: value.half(),
        lambda: value.to(torch.complex64),
        lambda: value.to(torch.float8_e5m2),
        lambda: value.to_sparse(),
        lambda: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
        lambda: value.to("meta"),
        lambda: value.flatten(),
        lambda: value[None],
        lambda: value.transpose(0, -1),
        lambda: value.contiguous(memory_format=torch.channels_last),
        lambda: torch.full_like(value, math.nan),
        lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        lambda: torch.zeros(1).expand(10**5, 10**5),
        lambda: torch.nn.Parameter(value),
        lambda: small,
        lambda: small.to(torch.int32),
        lambda: torch.zeros(shape) if math.prod(shape) < 10**6 else small,
    ]
    try:
        return rng.choice(kinds)()
    except Exception:  # not every tensor can become everything
        return small
