"""Loader processes that are started anew (spawn), as Windows and macOS start them, read the same images."""

import os
import subprocess
import sys

import pytest
import torch

from tests.helpers import ROOT
from util.run.device import pick_device

TINY = """train.py --dataset_mode phantom --name x --netG unet_64 --ngf 4 --ndf 4 --load_size 72 --crop_size 64
    --gpu_ids -1 --max_dataset_size 4 --n_epochs 1 --n_epochs_decay 0 --display_id 0 --no_html --val_freq 9 --cache_gb 0
    --num_threads"""


@pytest.mark.slow
def test_training_with_spawned_loader_processes_gives_the_same_weights(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import multiprocessing\nmultiprocessing.set_start_method('spawn')\n")
    weights = []
    for workers, paths in (("1", str(tmp_path)), ("0", "")):
        command = [sys.executable, *TINY.split(), workers, "--checkpoints_dir", str(tmp_path / workers)]
        env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        weights.append(torch.load(tmp_path / workers / "x" / "latest_net_G.pth"))
    spawned, alone = weights
    assert all(torch.equal(spawned[key], alone[key]) for key in alone)


@pytest.mark.parametrize("gpu_ids", [None, "0"])
def test_the_first_gpu_of_a_mac_is_mps(monkeypatch, gpu_ids):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device(gpu_ids) == torch.device("mps")
    assert pick_device("-1") == torch.device("cpu")
