"""The order of an epoch, resuming within it, worker processes, and impossible batches."""

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch

from data import create_dataset, create_validation
from data.loader import EpochSampler, Loader
from tests.helpers import python
from util.errors import UserError


def epoch_of(loader, epoch: int, start: int = 0) -> list[dict]:
    loader.set_position(epoch, start)
    return list(loader)


def order(sampler: EpochSampler, epoch: int, start: int = 0) -> list[int]:
    sampler.set_position(epoch, start)
    pairs = list(sampler)
    assert {e for _, e in pairs} <= {epoch}
    assert len(pairs) == len(sampler)
    return [index for index, _ in pairs]


def test_the_order_depends_on_seed_and_epoch_alone():
    one, other = EpochSampler(50, 1, True), EpochSampler(50, 1, True)
    assert order(one, 3) == order(one, 3) == order(other, 3)
    assert sorted(order(one, 3)) == list(range(50))
    assert order(one, 3) != order(one, 4)
    assert order(one, 3) != order(EpochSampler(50, 2, True), 3)
    assert order(EpochSampler(5, 1, False), 9) == [0, 1, 2, 3, 4]


def test_resuming_gives_the_rest_of_the_epoch():
    sampler = EpochSampler(50, 1, True)
    assert order(sampler, 3, 20) == order(sampler, 3)[20:]
    assert order(sampler, 3, 50) == []


def test_processes_share_an_epoch_and_have_equally_many_items():
    whole = order(EpochSampler(10, 1, True), 2)
    shares = [order(EpochSampler(10, 1, True, (rank, 3)), 2) for rank in range(3)]
    assert [len(s) for s in shares] == [4, 4, 4]
    assert [s[0] for s in shares] == whole[:3]
    assert set().union(*shares) == set(range(10))


def same(one: list[dict], other: list[dict]) -> bool:
    return len(one) == len(other) and all(
        all((a[k] == b[k]).all() if isinstance(a[k], torch.Tensor) else a[k] == b[k] for k in a)
        for a, b in zip(one, other, strict=True)
    )


def test_workers_and_resuming_change_no_pixel(lungs, flags):
    here = create_dataset(flags(dataroot=str(lungs), batch_size=2), "all", train=True)
    there = create_dataset(flags(dataroot=str(lungs), batch_size=2, cache_gb=0.0, num_threads=2), "all", train=True)
    assert (here.batches.num_workers, there.batches.num_workers) == (0, 2)
    for epoch in (1, 2):
        assert same(epoch_of(here, epoch), epoch_of(there, epoch))
    assert same(epoch_of(here, 2)[3:], epoch_of(there, 2, start=6))
    assert not same(epoch_of(here, 1), epoch_of(here, 2))
    assert not same(epoch_of(here, 1), epoch_of(create_dataset(flags(dataroot=str(lungs), seed=1), "all", True), 1))


@pytest.mark.slow
def test_workers_may_be_spawned(lungs, flags, monkeypatch):
    """Windows and macOS start workers this way: everything that a worker needs must be picklable."""
    here = create_dataset(flags(dataroot=str(lungs), batch_size=5), "all", train=True)
    spawned = Loader(here.dataset, 5, shuffle=True, workers=1)
    spawned.batches.multiprocessing_context = multiprocessing.get_context("spawn")
    assert same(epoch_of(here, 1), epoch_of(spawned, 1))


def test_starting_an_epoch_leaves_the_global_random_state_alone(lungs, flags):
    loader = create_dataset(flags(dataroot=str(lungs)), "all", train=True)
    torch.manual_seed(5)
    epoch_of(loader, 1)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert (drawn == torch.rand(3)).all()


def test_evaluation_is_in_order_and_keeps_the_last_batch(lungs, flags):
    batches = epoch_of(create_dataset(flags(dataroot=str(lungs), batch_size=4), "all", train=False), 7)
    assert [batch["index"].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[0]["size"].tolist() == [[48, 40]] * 4
    serial = create_dataset(flags(dataroot=str(lungs), batch_size=10, serial_batches=True), "all", train=True)
    assert epoch_of(serial, 3)[0]["index"].tolist() == list(range(10))


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_images_of_several_sizes_do_not_fit_into_one_batch(lungs, flags, save, cache_gb):
    for folder in ("images", "masks"):
        save(lungs / folder / "p4.png", np.zeros((50, 50), np.uint8))
    opt = flags(dataroot=str(lungs), preprocess="none", cache_gb=cache_gb, batch_size=2, serial_batches=True)
    with pytest.raises(UserError, match=r"p4.png \(50 x 50\) and .*p5.png \(40 x 48\): take --batch_size 1") as caught:
        list(create_dataset(opt, "all", train=True))
    assert "\n" not in str(caught.value)
    opt.batch_size = 1
    assert len(list(create_dataset(opt, "all", train=True))) == 10


@pytest.mark.parametrize("preprocess", ["none", "crop", "scale_width", "scale_width_and_crop"])
def test_evaluation_takes_images_of_several_sizes_one_by_one(lungs, flags, save, preprocess):
    for folder in ("images", "masks"):
        save(lungs / folder / "p4.png", np.zeros((70, 50), np.uint8))
    batches = list(create_dataset(flags(dataroot=str(lungs), preprocess=preprocess, batch_size=4), "all", train=False))
    assert len(batches) == 10
    assert batches[4]["A"].shape != batches[5]["A"].shape


def test_a_bad_file_in_a_worker_process_is_a_one_line_error(lungs, flags):
    opt = flags(dataroot=str(lungs), cache_gb=0.0, num_threads=1, batch_size=2)
    loader = create_dataset(opt, "all", train=False)
    path = lungs / "images" / "p9.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"^\S+p9.png: the image is damaged: [^\n]+$"):
        list(loader)


def test_bad_files_are_skipped_and_listed(lungs, flags, capsys):
    for i in (2, 6):
        (lungs / "masks" / f"p{i}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"2 bad files: \S+p2.png, \S+p6.png: the file is empty \(0 bytes\) \("):
        create_dataset(flags(dataroot=str(lungs)), "all", train=True)
    for cache_gb in (1.0, 0.0):
        opt = flags(dataroot=str(lungs), skip_bad_files=True, cache_gb=cache_gb, num_threads=0)
        dataset = create_dataset(opt, "all", train=True).dataset
        assert dataset.ids == [f"p{i}" for i in (0, 1, 3, 4, 5, 7, 8, 9)]
        assert len(dataset.skipped) == 2
        told = capsys.readouterr().err.splitlines()
        assert [line[:9] for line in told] == ["skipped: "] * 2
        assert "p2.png" in told[0]
    for i in range(10):
        (lungs / "images" / f"p{i}.png").write_text("text")
    with pytest.raises(UserError, match="no readable image is left"):
        create_dataset(flags(dataroot=str(lungs), skip_bad_files=True), "all", train=True)


def test_validation_reads_all_of_val_or_says_why_not(lungs, flags, capsys):
    loader = create_validation(flags(dataroot=str(lungs), max_dataset_size=1))
    assert loader.dataset.ids == ["p7", "p8"]
    assert not loader.dataset.train
    (lungs / "splits.csv").write_text("image,split\nimages/p0.png,train\n")
    assert create_validation(flags(dataroot=str(lungs))) is None
    assert "no validation: " in capsys.readouterr().out


def test_workers_leave_an_interrupt_to_the_script(lungs, flags):
    batches = iter(create_dataset(flags(dataroot=str(lungs), cache_gb=0.0, num_threads=1), "all", train=False))
    next(batches)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGINT)
    assert len(list(batches)) == 9


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="workers cannot tell who sent SIGTERM")
def test_workers_end_at_a_sigterm_of_the_script_and_of_no_one_else(lungs, flags):
    before = {*multiprocessing.active_children()}  # of other tests in this process
    batches = iter(create_dataset(flags(dataroot=str(lungs), cache_gb=0.0, num_threads=1), "all", train=False))
    next(batches)
    (worker,) = {*multiprocessing.active_children()} - before
    python("-c", f"import os, signal; os.kill({worker.pid}, signal.SIGTERM)")
    assert len(list(batches)) == 9
    worker.terminate()
    worker.join(10)
    assert not worker.is_alive()


def test_num_test_limits_a_test(lungs, flags):
    assert len(create_dataset(flags(dataroot=str(lungs)), "all", train=False, num_test=3).dataset) == 3


@pytest.mark.parametrize("count", [0, -1, 0.5, float("nan")])
def test_a_limit_below_one_image_is_refused(lungs, flags, count):
    with pytest.raises(UserError, match=f"^--num_test {count}: must be at least 1$"):
        create_dataset(flags(dataroot=str(lungs)), "all", train=False, num_test=count)
    with pytest.raises(UserError, match=f"^--max_dataset_size {count}: must be at least 1$"):
        create_dataset(flags(dataroot=str(lungs), max_dataset_size=count), "all", train=True)


def test_validation_needs_paired_targets_with_classes(tmp_path, flags, save, capsys):
    for name in ("valA", "valB"):
        save(tmp_path / name / "x.png", np.zeros((40, 40), np.uint8))
    assert create_validation(flags(dataroot=str(tmp_path), dataset_mode="unaligned")) is None
    assert "no validation: a score needs images with targets of their own" in capsys.readouterr().out
