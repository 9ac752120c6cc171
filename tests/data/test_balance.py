"""--balance: which images an epoch takes, and which images count as having a finding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import create_dataset
from data.balance import Balance, from_labels, is_positive, patients_first
from data.loader import EpochSampler
from util.errors import UserError

RARE = Balance(np.arange(50) % 10 == 0, 0.5)  # 5 of 50 images have a finding


@pytest.fixture
def findings(lungs, save):
    """Ten images, of which p2, p5 and p8 have a mask that is not empty."""
    for i in {0, 1, 3, 4, 6, 7, 9}:
        save(lungs / "masks" / f"p{i}.png", np.zeros((48, 40), np.uint8))
    return lungs


def epoch(sampler: EpochSampler, number: int, start: int = 0) -> list[int]:
    sampler.set_position(number, start)
    return [index for index, _ in sampler]


@pytest.mark.parametrize(
    ("with_finding", "without", "share", "counts"),
    [
        (2669, 9378, 0.5, (2669, 2669)),
        (10, 90, 0.25, (10, 30)),
        (90, 10, 0.5, (10, 10)),
        (90, 10, 0.75, (30, 10)),
        (1, 2, 0.9, (1, 1)),
    ],
)
def test_an_epoch_leaves_out_images_of_the_more_frequent_kind(with_finding, without, share, counts):
    assert Balance(np.arange(with_finding + without) < with_finding, share).counts == counts


@given(st.lists(st.booleans(), min_size=2).filter(lambda p: 0 < sum(p) < len(p)), st.floats(0.01, 0.99))
def test_an_epoch_has_the_share_to_within_one_image(positive, share):
    balance = Balance(np.array(positive), share)
    drawn = balance.take(seed=0, epoch=3)
    counts = int(balance.positive[drawn].sum()), int((~balance.positive[drawn]).sum())
    assert counts == balance.counts
    assert len(set(drawn.tolist())) == len(drawn)
    assert balance.positive.sum() == counts[0] or (~balance.positive).sum() == counts[1]
    assert abs(counts[0] - share * sum(counts)) <= 1


def test_epochs_take_turns_with_images_of_the_more_frequent_kind():
    sampler = EpochSampler(50, 1, True, balance=RARE)
    rare, left = {0, 10, 20, 30, 40}, set(range(50))
    for number in range(1, 10):  # 45 others, 5 in each epoch
        taken = epoch(sampler, number)
        assert len(taken) == sampler.images == 10
        assert rare <= set(taken)
        assert set(taken) - rare <= left
        left -= set(taken)
    assert not left
    assert [i in rare for i in taken] != [True] * 5 + [False] * 5  # mixed, not one kind after the other


def test_a_balanced_epoch_depends_on_seed_and_epoch_alone_and_can_be_resumed():
    one, other = EpochSampler(50, 1, True, balance=RARE), EpochSampler(50, 1, True, balance=RARE)
    assert epoch(one, 3) == epoch(other, 3) != epoch(one, 4)
    assert epoch(one, 3) != epoch(EpochSampler(50, 2, True, balance=RARE), 3)
    assert epoch(one, 3, start=4) == epoch(other, 3)[4:]


def test_processes_share_a_balanced_epoch():
    whole = epoch(EpochSampler(50, 1, True, balance=RARE), 2)
    shares = [epoch(EpochSampler(50, 1, True, (rank, 2), RARE), 2) for rank in range(2)]
    assert shares == [whole[::2], whole[1::2]]


def test_without_shuffling_an_epoch_is_in_order():
    taken = epoch(EpochSampler(50, 1, False, balance=RARE), 7)
    assert taken == sorted(taken)
    assert len(taken) == 10


def test_labels_that_name_a_finding_and_labels_that_do_not():
    assert all(map(is_positive, ("pneumothorax", "tuberculosis", "nodule", "1", "Nodes")))
    assert not any(map(is_positive, ("no pneumothorax", "No nodule", "normal", "0", "None", "Healthy")))
    assert from_labels(["1", "0"]).tolist() == [True, False]
    assert from_labels(["1", ""]) is None
    assert from_labels(["normal", "normal"]) is None


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_without_labels_a_mask_with_foreground_is_a_finding(findings, flags, cache_gb, capsys):
    opt = flags(dataroot=str(findings), balance=0.5, cache_gb=cache_gb, num_threads=0)
    loader = create_dataset(opt, "all", train=True)
    assert loader.dataset.balance.positive.nonzero()[0].tolist() == [2, 5, 8]
    assert capsys.readouterr().out.splitlines() == [
        f"all: {'7 of 10' if cache_gb else '3 of 4'} masks read are empty (no foreground)",
        "--balance: an epoch has 3 images with a finding and 3 without, of 3 and 7",
    ]
    loader.set_position(1)
    assert sum((batch["B"] > 0).any().item() for batch in loader) == 3
    assert len(loader) == 6


def test_labels_decide_about_findings_even_if_masks_differ(findings, flags):
    rows = [f"images/p{i}.png,train,{'pneumothorax' if i > 6 else 'no pneumothorax'}" for i in range(10)]
    (findings / "splits.csv").write_text("\n".join(["image,split,label", *rows]))
    dataset = create_dataset(flags(dataroot=str(findings), balance=0.5), "train", train=True).dataset
    assert dataset.balance.positive.nonzero()[0].tolist() == [7, 8, 9]


def test_balance_leaves_out_no_image_in_testing(findings, flags):
    assert len(create_dataset(flags(dataroot=str(findings), balance=0.5), "all", train=False)) == 10


def test_balance_is_refused_if_all_images_have_a_finding_or_masks_are_unpaired(lungs, flags):
    with pytest.raises(UserError, match="--balance: all images are with a finding, so there is nothing to"):
        create_dataset(flags(dataroot=str(lungs), balance=0.5), "all", train=True)
    with pytest.raises(UserError, match="--balance needs images with masks of their own, and --classes"):
        create_dataset(flags(dataroot=str(lungs), balance=0.5, unpaired=True), "all", train=True)


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.integers(0, 9))
def test_every_patient_comes_once_before_any_comes_again(patients, seed):
    order = patients_first(patients, seed)
    assert sorted(order) == list(range(len(patients)))
    shown = [patients[image] for image in order]
    turns = [shown[:place].count(patient) for place, patient in enumerate(shown)]
    assert turns == sorted(turns)


def test_images_of_different_patients_come_in_an_order_that_the_seed_draws():
    orders = {tuple(patients_first(["a", "a", "b", "c", "d"], seed)) for seed in range(20)}
    assert len(orders) > 5
