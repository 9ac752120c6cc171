"""Help is printed at once: no script imports a library that takes seconds before its flags are parsed."""

import pytest

from tests.helpers import python

SCRIPTS = (
    ["train.py", "--help"],
    ["train.py", "--help", "--model", "pix2pix", "--dataset_mode", "masks"],
    ["test.py", "--help"],
    ["segment.py", "--help"],
    ["forgetting.py", "--help"],
    ["data.prepare", "--help"],
    ["data.prepare", "montgomery", "--help"],
    ["data.audit", "--help"],
    ["data.download", "--help"],
    ["data.phantom", "--help"],
    ["models.piggyback", "--help"],
    ["models.export", "--help"],
)
HEAVY = "torch torchvision kornia monai segmentation_models_pytorch matplotlib pydicom highdicom visdom scipy"
CODE = f"""
import runpy, sys
script = sys.argv.pop(1)
sys.argv[0] = script
try:
    (runpy.run_path if script.endswith(".py") else runpy.run_module)(script, run_name="__main__")
except SystemExit as end:
    print("exit code", end.code)
print("heavy:", *sorted(sys.modules.keys() & set("{HEAVY}".split())))
"""


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_help_is_printed_without_a_heavy_library(words):
    done = python("-c", CODE, *words)
    *shown, code, heavy = done.stdout.splitlines()
    assert (code, heavy) == ("exit code 0", "heavy:"), done.stderr
    assert "--" in "".join(shown)


def test_a_wrong_flag_is_reported_without_a_heavy_library():
    done = python("-c", CODE, "train.py", "--n_epoch", "3")
    assert done.stdout.splitlines() == ["exit code 2", "heavy:"]
    assert "unknown flag --n_epoch: did you mean --n_epochs?" in done.stderr
