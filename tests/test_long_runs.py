"""A long training takes no more memory, handles or threads with each epoch (docs/reliability.md has 300 epochs)."""

import os
import threading
from pathlib import Path

import pytest

from tests.helpers import words
from util.show.report import Report

HANDLES = Path("/proc/self/fd")


@pytest.mark.skipif(not HANDLES.is_dir(), reason="counts open handles as Linux shows them")
def test_no_epoch_leaves_a_handle_or_a_thread_behind(run, monkeypatch):
    counts, end_epoch = [], Report.end_epoch

    def counting(self, *args):
        end_epoch(self, *args)
        counts.append((len(os.listdir(HANDLES)), threading.active_count()))

    monkeypatch.setattr(Report, "end_epoch", counting)
    run(
        *words("--dataset_mode phantom --phantom_count 2 --netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64"),
        *words("--n_epochs 6 --n_epochs_decay 0 --gpu_ids -1 --display_id 0 --update_html_freq 1 --save_epoch_freq 1"),
    )
    assert counts[-1] == counts[1]
