"""How scripts end."""

import sys

import pytest

from util.errors import UserError, run_script


def ending(monkeypatch, capsys, error: BaseException | None, *argv: str) -> tuple[int, str]:
    def main() -> int:
        if error:
            raise error
        return 0

    monkeypatch.setattr(sys, "argv", ["script.py", *argv])
    with pytest.raises(SystemExit) as end:
        run_script(main)
    return end.value.code, capsys.readouterr().err


def test_good_end(monkeypatch, capsys):
    assert ending(monkeypatch, capsys, None) == (0, "")


def test_a_users_mistake_is_one_line(monkeypatch, capsys):
    code, said = ending(monkeypatch, capsys, UserError("x.png: damaged;\n  copy it again"))
    assert (code, said) == (2, "error: x.png: damaged; copy it again\n")


def test_a_full_disk_is_the_users_to_mend(monkeypatch, capsys):
    code, said = ending(monkeypatch, capsys, OSError(28, "No space left on device"))
    assert code == 2
    assert said.count("\n") == 1
    assert "No space left" in said


def test_verbose_shows_the_traceback(monkeypatch, capsys):
    assert "Traceback" in ending(monkeypatch, capsys, UserError("x"), "--verbose")[1]


def test_ctrl_c(monkeypatch, capsys):
    assert ending(monkeypatch, capsys, KeyboardInterrupt()) == (130, "\nstopped\n")


def test_our_own_mistakes_are_not_hidden(monkeypatch, capsys):
    with pytest.raises(ZeroDivisionError):
        ending(monkeypatch, capsys, ZeroDivisionError())
