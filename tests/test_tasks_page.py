"""The program in docs/tasks.md runs."""

import re
import runpy

import torch

from models.piggyback.task import Settings, attach
from tests.helpers import ROOT
from tests.models.piggyback.helpers import donor, image, learn, output
from util.run.checkpoint import save_networks


def test_the_program_switches_between_two_tasks_and_their_donor(tmp_path, monkeypatch):
    net = donor()
    path = tmp_path / "checkpoints" / "base" / "latest_net_G.pth"
    path.parent.mkdir(parents=True)
    torch.save(net.state_dict(), path)
    expected = []
    for name, how in (("lungs", "masks"), ("hearts", "filter_bank")):
        task = attach(net, Settings(how))
        learn(net, task)
        expected.append(output(net, "image"))
        task.donor_path = path
        save_networks(tmp_path / "checkpoints" / name, "latest", {"G": net}, {"G": task})
    monkeypatch.chdir(tmp_path)
    program = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8"), re.S)[1]
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    outputs = runpy.run_path(str(tmp_path / "program.py"), {"image": image()})["outputs"]
    for ours, theirs in zip(outputs, [*expected, output(donor(), "image")], strict=True):
        assert torch.equal(ours, theirs)
