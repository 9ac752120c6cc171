"""How scripts end."""

import ast
import os
import signal
import subprocess
import sys

import pytest

from tests.helpers import ROOT, python
from util.errors import UserError, let_threads_sleep, run_script


def ending(monkeypatch, capsys, error: BaseException | None, *argv: str) -> tuple[int, str]:
    def main() -> int:
        if error:
            raise error
        return 0

    monkeypatch.setattr(sys, "argv", ["script.py", *argv])
    with pytest.raises(SystemExit) as end:
        run_script(main)
    return end.value.code, capsys.readouterr().err


def test_a_script_that_succeeds_exits_with_0_and_prints_nothing(monkeypatch, capsys):
    assert ending(monkeypatch, capsys, None) == (0, "")


def test_a_name_that_is_not_utf_8_can_be_printed(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    done = python("-c", "from util.errors import run_script; run_script(lambda: print('M\\udcfcller.png'))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "M\\udcfcller.png\n", "")


def test_a_users_mistake_ends_in_one_line_and_exit_code_2(monkeypatch, capsys):
    code, message = ending(monkeypatch, capsys, UserError("x.png: damaged;\n  copy it again"))
    assert (code, message) == (2, "error: x.png: damaged; copy it again\n")


def test_a_full_disk_ends_in_one_line_too(monkeypatch, capsys):
    code, message = ending(monkeypatch, capsys, OSError(28, "No space left on device"))
    assert code == 2
    assert message.count("\n") == 1
    assert "No space left" in message


def test_verbose_shows_the_traceback(monkeypatch, capsys):
    assert "Traceback" in ending(monkeypatch, capsys, UserError("x"), "--verbose")[1]


def test_ctrl_c_exits_with_130(monkeypatch, capsys):
    assert ending(monkeypatch, capsys, KeyboardInterrupt()) == (130, "\nstopped\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_to_end_cleans_up_and_exits_with_128_and_its_number(name):
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("this system ends a process without asking it")
    code = f"""
import ast
import os
import signal
from util.errors import run_script

def main():
    try:
        signal.raise_signal(signal.{name})
    finally:
        signal.raise_signal(signal.{name})  # a terminal often sends two
        print("cleaned up")

run_script(main)
"""
    done = python("-c", code)
    assert (done.returncode, done.stdout) == (128 + getattr(signal, name), "cleaned up\n")
    assert done.stderr.strip() == "stopped"


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch, capsys):
    with pytest.raises(ZeroDivisionError):
        ending(monkeypatch, capsys, ZeroDivisionError())


def test_a_script_whose_reader_has_gone_does_not_end_as_if_it_had_succeeded():
    code = "from util.errors import run_script\nrun_script(lambda: [print('x' * 1000) for _ in range(10**6)])"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes, cwd=ROOT) as script:
        assert script.stdout is not None
        assert script.stderr is not None
        script.stdout.readline()
        script.stdout.close()
        assert script.stderr.read() == b""
    assert script.returncode == 141


@pytest.mark.parametrize(
    "when",
    [
        "raise KeyboardInterrupt",
        "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt as stop:\n    raise ImportError from stop",
    ],
    ids=["Ctrl-C", "what numpy makes of it"],
)
def test_ctrl_c_while_modules_are_imported_ends_in_one_line(when):
    done = python("-c", f"import options\n{when}")
    assert (done.stderr, done.returncode != 0) == ("\nstopped\n", True)
    inside = when.replace("\n", "\n    ")
    done = python("-c", f"from util.errors import run_script\ndef main():\n    {inside}\nrun_script(main)")
    assert (done.stderr, done.returncode) == ("\nstopped\n", 130)


@pytest.mark.parametrize("script", ["train", "test", "segment", "forgetting"])
def test_ctrl_c_during_a_script_s_very_first_imports_ends_in_one_line(script):
    """Python looks for the first module after `options` when the user presses Ctrl-C."""
    finder = (
        "import runpy, sys\n"
        "class Pressed:\n"
        "    def find_spec(self, *which):\n"
        "        if 'options' in sys.modules and sys.meta_path.remove(self) is None:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
        f"runpy.run_path('{script}.py', run_name='__main__')"
    )
    assert python("-c", finder).stderr == "\nstopped\n"
    tree = ast.parse((ROOT / f"{script}.py").read_text(encoding="utf-8"))
    first = next(
        node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) and "future" not in ast.dump(node)
    )
    assert isinstance(first, ast.Import)
    assert first.names[0].name == "options"


def test_another_error_while_modules_are_imported_keeps_its_traceback():
    assert "ZeroDivisionError" in python("-c", "import options; 1 / 0").stderr


@pytest.mark.parametrize(
    ("given", "turns"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "5"}, "5"), ({"OMP_WAIT_POLICY": "PASSIVE"}, None)],
)
def test_idle_threads_sleep_soon_unless_the_user_says_when(monkeypatch, given, turns):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    let_threads_sleep()
    assert os.environ.get("GOMP_SPINCOUNT") == turns
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
