"""benchmarks.fuzz notices what escapes from a reader, and no reader lets anything escape."""

import time
from pathlib import Path

import pytest

from benchmarks.fuzz import reading
from benchmarks.fuzz.seeds import SEEDS
from util.errors import UserError


def test_what_escapes_a_reader_is_named_and_an_error_in_one_line_is_not(monkeypatch):
    def refuse(path):
        raise UserError("damaged")

    def hang(path):
        try:
            time.sleep(5)
        except Exception:
            return

    monkeypatch.setattr(reading, "SECONDS", 0.1)
    assert reading.read_one(lambda path: None, Path("x")) == "read"
    assert reading.read_one(refuse, Path("x")) == "refused"
    assert reading.read_one(hang, Path("x")) == "took over 0.1 s"
    assert reading.read_one(lambda path: 1 / 0, Path("x")).startswith("ZeroDivisionError at ")


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_nothing_escapes_from_a_reader_in_a_hundred_inputs(name):
    tally = reading.fuzz(name, 100, seed=3, until=time.monotonic() + 100, keep=None)
    assert tally.counts.total() == 100
    assert not tally.escaped
