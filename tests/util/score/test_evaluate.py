"""From a model and a data set to rows and sums: sizes, thresholds, order, classes, missing ground truth."""

import csv

import numpy as np
import pytest
import torch

from data.classes import Classes
from util.contracts import VOID
from util.errors import UserError
from util.score.evaluate import evaluate
from util.score.image import Scored, resize
from util.score.mask_rule import MaskRule
from util.score.summary import in_words
from util.score.within import Within

TRUTH = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], np.uint8)


def output(values) -> np.ndarray:
    """A one-channel network output from foreground values 0..1."""
    return np.asarray(values, np.float32)[None] * 2 - 1


def test_rows_agree_with_hand_computed_ones(pictures, echo):
    data = pictures([output([[0.9, 0.2, 0.8, 0.1]] * 2), output(TRUTH)], [TRUTH, TRUTH], patients=["p", "q"])
    result = evaluate(echo, data.loader())
    first, second = result.rows
    assert (first["id"], first["patient"]) == ("image0", "p")
    assert [first[name] for name in ("tp", "fp", "fn", "tn")] == [2, 2, 2, 2]
    assert first["dice"] == pytest.approx(0.5)
    assert first["iou"] == pytest.approx(1 / 3)
    assert second["dice"] == 1
    assert result.score == result.means["dice"] == result.summary["macro"]["dice"] == pytest.approx(0.75)
    assert result.summary["micro"]["dice"] == pytest.approx(12 / 16)
    assert result.summary["contradictions"] == []


def test_a_value_equal_to_the_threshold_is_foreground(pictures, echo):
    data = pictures([output([[0.7, 0.7, 0.4, 0.4]] * 2)], [TRUTH])
    assert evaluate(echo, data.loader(), rule=MaskRule(0.5)).score == 1
    assert evaluate(echo, data.loader(), rule=MaskRule(0.3)).rows[0]["fp"] == 4
    assert evaluate(echo, data.loader(), rule=MaskRule(0.8)).rows[0]["fn"] == 4
    middle = pictures([output([[0.5, 0.5, 0.25, 0.25]] * 2)], [TRUTH])
    assert evaluate(echo, middle.loader(), rule=MaskRule(0.5)).score == 1


def test_the_mean_of_three_channels_decides(pictures, echo):
    grey = np.stack([np.full((2, 4), 1.0), np.full((2, 4), -0.2), np.full((2, 4), -0.2)])
    assert evaluate(echo, pictures([grey], [TRUTH]).loader()).rows[0]["tp"] == 4


def test_the_float_output_is_resized_before_it_is_thresholded(pictures, echo):
    small = output([[1.0, 0.4], [0.0, 0.0]])
    data = pictures([small], [np.zeros((16, 16), np.uint8)])
    row = evaluate(echo, data.loader()).rows[0]
    enlarged = resize(torch.from_numpy(small)[None], (16, 16))[0, 0].numpy()
    assert row["fp"] == (enlarged >= 0).sum()
    assert row["fp"] != 64  # a mask cut before resizing would be a quarter of the image


def test_images_of_all_sizes_come_back_in_order(pictures, echo):
    truths = [np.ones((h, w), np.uint8) for h, w in ((3, 5), (8, 2), (1, 1), (20, 30), (4, 4))]
    data = pictures([output(np.ones((4, 4)))] * 5, truths)
    rows = evaluate(echo, data.loader(batch_size=2)).rows
    assert [row["id"] for row in rows] == data.ids
    assert [row["tp"] for row in rows] == [15, 16, 1, 600, 16]


def test_void_pixels_do_not_count(pictures, echo):
    truth = TRUTH.copy()
    truth[:, 0] = VOID
    row = evaluate(echo, pictures([output(np.zeros((2, 4)))], [truth]).loader()).rows[0]
    assert [row[name] for name in ("tp", "fp", "fn", "tn")] == [0, 0, 2, 4]


def test_each_source_has_its_own_summary(pictures, echo):
    good, bad = output(TRUTH), output(1 - TRUTH)
    data = pictures([good, bad, good], [TRUTH] * 3, sources=["montgomery", "shenzhen", "montgomery"])
    summary = evaluate(echo, data.loader()).summary
    assert summary["by_source"]["montgomery"]["macro"]["dice"] == 1
    assert summary["by_source"]["shenzhen"]["macro"]["dice"] == 0
    assert "by_source" not in evaluate(echo, pictures([good], [TRUTH]).loader()).summary


def test_without_ground_truth_there_are_masks_but_no_scores(pictures, echo):
    seen = []
    data = pictures([output(TRUTH)], [None], size=(2, 4))
    result = evaluate(echo, data.loader(), on_image=lambda image: seen.append(image.labels.copy()))
    assert not result.scored
    assert result.score is None
    assert result.means == {}
    assert result.summary == {"images": 1}
    assert (seen[0] == TRUTH).all()


def test_without_classes_nothing_is_scored(pictures, echo):
    result = evaluate(echo, pictures([output(TRUTH)], [TRUTH], classes=None).loader())
    assert not result.scored
    assert list(result.rows[0]) == ["id", "patient", "source"]


def test_many_classes_are_scored_by_one_confusion_matrix(pictures, echo):
    classes = Classes.load("facades")
    truths = [np.array([[0, 1], [2, VOID]], np.uint8), np.array([[3, 3], [3, 3]], np.uint8)]
    predicted = [np.array([[0, 1], [1, 1]], np.uint8), np.array([[3, 3], [3, 0]], np.uint8)]
    outputs = [classes.encode(labels).transpose(2, 0, 1) / 127.5 - 1 for labels in predicted]
    outputs[1][:, 0, 0] = 1  # white is no class: the nearest colour counts, and the void rate shows it
    truths[1][0, 0] = VOID
    result = evaluate(echo, pictures(outputs, truths, classes="facades").loader())
    assert result.pooled.sum() == 6
    assert result.means["pixel_accuracy"] == pytest.approx(4 / 6)
    iou = {"background": 1 / 2, "facade": 1 / 2, "window": 0, "door": 2 / 3}
    assert result.summary["class_iou"] == pytest.approx(iou | dict.fromkeys(classes.names[4:]))
    assert result.score == result.summary["micro"]["miou"] == pytest.approx(sum(iou.values()) / 4)
    assert [row["void_rate"] for row in result.rows] == [0, 0.25]


def test_images_without_a_finding_do_not_lower_mean_recall_and_precision(pictures, echo):
    """Two images are segmented perfectly; in three without a finding one pixel is wrong, or none."""
    nothing, spot = np.zeros((2, 4), np.uint8), np.zeros((2, 4), np.uint8)
    spot[0, 0] = 1
    data = pictures([output(x) for x in (TRUTH, TRUTH, nothing, nothing, spot)], [TRUTH, TRUTH, *[nothing] * 3])
    summary = evaluate(echo, data.loader()).summary
    assert summary["macro"]["recall"] == 1
    assert summary["macro"]["precision"] == pytest.approx(2 / 3)  # the false spot has precision 0
    assert summary["macro"]["dice"] == pytest.approx(4 / 5)
    assert summary["undefined"] == {"precision": 2, "recall": 3}
    assert summary["empty"] == {"ground truth": 3, "mask": 2}
    assert summary["contradictions"] == []
    lines = list(in_words(summary, ["dice", "recall"], pooled=False))
    assert "recall is undefined for 3 of 5 images (an empty ground truth); its mean leaves them out." in lines
    assert "3 of 5 images have an empty ground truth" in lines[-1]


def test_a_score_undefined_in_all_images_is_left_out_of_the_means(pictures, echo):
    nothing = np.zeros((2, 4), np.uint8)
    result = evaluate(echo, pictures([output(nothing)] * 2, [nothing] * 2).loader())
    assert result.score == 1
    assert not {"recall", "precision"} & result.means.keys()
    assert result.summary["macro"]["recall"] is None


def test_surface_distances_are_blank_and_counted_where_undefined(pictures, echo, tmp_path):
    data = pictures([output(TRUTH), output(np.zeros((2, 4)))], [TRUTH, TRUTH])
    result = evaluate(echo, data.loader(), surface=True)
    assert result.summary["macro"]["hd95_px"] == 0
    assert result.summary["undefined"] == {"precision": 1, "hd95_px": 1, "assd_px": 1}
    result.write_csv(tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["hd95_px"] for row in rows] == ["0", ""]
    assert rows[0]["dice"] == "1"
    assert rows[1]["fn"] == "4"


def test_surface_distances_are_in_mm_where_every_spacing_is_known(pictures, echo, capsys):
    shifted = np.roll(TRUTH, 1, axis=1)  # by one pixel of width 2 mm
    known = pictures([output(shifted)] * 2, [TRUTH] * 2, spacings=[(0.5, 2.0), (0.5, 1.0)])
    result = evaluate(echo, known.loader(), surface=True)
    assert [row["hd95_mm"] for row in result.rows] == pytest.approx([2, 1])
    assert "hd95_px" not in result.columns
    assert result.summary["macro"]["hd95_mm"] == pytest.approx(1.5)
    assert capsys.readouterr().err == ""
    half_known = pictures([output(shifted)] * 2, [TRUTH] * 2, spacings=[(0.5, 2.0), None])
    result = evaluate(echo, half_known.loader(), surface=True)
    assert [row["hd95_px"] for row in result.rows] == pytest.approx([1, 1])
    assert "hd95_mm" not in result.columns
    note = f"all distances are in pixels, because 1 of 2 images lack a pixel spacing, such as {half_known.ids[1]}\n"
    assert capsys.readouterr().err == f"note: --surface: {note}"


def test_surface_distances_need_masks(pictures, echo):
    data = pictures([output(TRUTH)], [None])
    with pytest.raises(
        UserError, match="--surface: the images have no masks to measure distances between: leave it out"
    ):
        evaluate(echo, data.loader(), surface=True)


def test_surface_distances_of_more_than_two_classes_are_refused(pictures, echo):
    data = pictures([np.zeros((3, 2, 4))], [TRUTH], classes="facades")
    with pytest.raises(
        UserError, match="--surface: distances are measured between outlines of one foreground, but these "
    ):
        evaluate(echo, data.loader(), surface=True)


@pytest.mark.parametrize(("channels", "classes"), [(1, "lungs"), (3, "lungs"), (3, "facades"), (3, None)])
def test_a_nan_in_the_output_is_an_error_that_names_the_image(pictures, echo, channels, classes):
    good = np.zeros((channels, 2, 4))
    bad = good.copy()
    bad[0, 1, 2] = np.nan
    data = pictures([good, bad], [TRUTH, TRUTH], classes=classes)
    with pytest.raises(UserError, match=r"^image1: the network's output is not a number \(diverged[^\n]+$"):
        evaluate(echo, data.loader())


def test_an_error_in_a_worker_thread_ends_the_evaluation(pictures, echo):
    def full_disk(image):
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        evaluate(echo, pictures([output(TRUTH)] * 40, [TRUTH] * 40).loader(), on_image=full_disk)


def test_pictures_of_scored_images_are_not_kept_in_memory(pictures, echo):
    kept = []
    evaluate(echo, pictures([output(TRUTH)], [TRUTH]).loader(), on_image=kept.append)
    assert kept[0].fake is None
    assert kept[0].labels is None
    assert kept[0].row["dice"] == 1


def test_images_with_and_without_foreground_give_detection_scores(pictures, echo):
    nothing = np.zeros((2, 4), np.uint8)
    outputs = [output(TRUTH), output(nothing), output(0.7 * TRUTH), output(nothing + 0.2)]
    data = pictures(outputs, [TRUTH, TRUTH, nothing, nothing])
    summary = evaluate(echo, data.loader()).summary
    found = summary["detection"]
    assert (found["positives"], found["negatives"]) == (2, 2)
    assert (found["dice_positives"], found["dice_all"]) == (0.5, summary["macro"]["dice"]) == (0.5, 0.5)
    assert (found["sensitivity"], found["specificity"], found["auc"]) == (0.5, 0.5, 0.5)
    assert "detection" not in evaluate(echo, pictures(outputs[:2], [TRUTH, TRUTH]).loader()).summary


def test_a_source_without_negatives_has_no_detection_of_its_own(pictures, echo):
    nothing = np.zeros((2, 4), np.uint8)
    data = pictures([output(TRUTH)] * 3, [TRUTH, TRUTH, nothing], sources=["a", "b", "b"])
    by_source = evaluate(echo, data.loader()).summary["by_source"]
    assert "detection" not in by_source["a"]
    assert by_source["b"]["detection"]["specificity"] == 0


def test_outside_another_runs_mask_is_background(pictures, echo):
    lungs = np.array([[1, 1, 1, 0]] * 2, bool)
    shown = {}
    data = pictures([output(np.full((2, 4), 0.9)), output(TRUTH)], [TRUTH, TRUTH])
    result = evaluate(
        echo,
        data.loader(),
        within=lambda index: lungs if index == 0 else ~lungs,
        on_image=lambda image: shown.update({image.index: image.companions["within"]}),
    )
    assert [[row[name] for name in ("tp", "fp", "fn", "tn")] for row in result.rows] == [[4, 2, 0, 2], [0, 0, 4, 4]]
    assert result.rows[1]["image_score"] == 0
    assert shown[0].tolist() == (lungs[None] * 2.0 - 1).tolist()


def test_masks_of_another_run_are_kept_without_loss():
    within, random = Within([]), np.random.default_rng(0)
    labels = [random.integers(0, 2, shape, np.uint8) for shape in ((3, 5), (1, 1), (16, 8))]
    for index, mask in enumerate(labels):
        within.keep(Scored(index, mask.shape, None, labels=mask))
    assert all((within(index) == (mask == 1)).all() for index, mask in enumerate(labels))


def test_another_runs_mask_is_resized_to_this_images_size(pictures, echo):
    left = np.repeat([[True, False]], 4, axis=0)
    row = evaluate(echo, pictures([output(np.ones((2, 4)))], [TRUTH]).loader(), within=lambda index: left).rows[0]
    assert [row[name] for name in ("tp", "fp", "fn", "tn")] == [4, 0, 0, 4]
