"""What belongs into one panel."""

from util.run.log import TRAIN, VAL, train_and_val


def test_a_score_or_loss_of_both_sides_is_one_panel():
    columns = ["epoch", "iters", "G_GAN", "G_L1", "train_dice", "val_dice", "val_iou", "val_recall", "val_G_L1"]
    assert train_and_val(columns) == {
        "G_L1 loss": {TRAIN: "G_L1", VAL: "val_G_L1"},
        "Dice": {TRAIN: "train_dice", VAL: "val_dice"},
        "IoU": {VAL: "val_iou"},
    }


def test_runs_without_masks_have_none():
    assert train_and_val(["epoch", "G_A", "cycle_A", "val_miou"]) == {}
