"""Translate images with a trained run, score them against their masks, and write a page to look at.

    python test.py --dataroot DATA --name lungs
    python test.py --name lungs --epoch best --phase val --surface

Leaves in results/<name>/<phase>_<epoch>: index.html, images/, masks/, overlays/, differences/, metrics.csv,
metrics.json; with --write dicomseg also dicomseg/.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

import options.test
from data import DATASETS, PairedDataset, create_dataset
from data.dicomseg import SegmentationWriter
from models import MODELS, create_model, load_networks, pick_device
from options.parser import as_text
from util.checkpoint import network_path, write_json, write_text
from util.errors import run_script
from util.postprocess import MaskRule
from util.results import PictureWriter, replacing_folder
from util.scoring import Evaluation, Scored, evaluate
from util.seeding import seed_everything
from util.test_page import write_test_page


def main() -> int:
    opt = options.test.parse(MODELS, DATASETS)
    device = pick_device(opt.gpu_ids)
    seed_everything(opt.seed)
    run_dir = Path(opt.checkpoints_dir) / opt.name
    model = create_model(opt, device, training=False)
    load_networks(model, run_dir, opt.epoch, opt)
    loader = create_dataset(opt, opt.phase, train=False, num_test=opt.num_test)
    segmentations = None
    if opt.write == "dicomseg":
        segmentations = SegmentationWriter(loader.dataset, f"{opt.name}, epoch {opt.epoch}")
    print(as_text(opt))
    write_text(run_dir / "test_opt.txt", as_text(opt) + "\n")

    base = "_base" if opt.task == "base" else ""
    results = Path(opt.results_dir) / opt.name / f"{opt.phase}_{opt.epoch}{base}"
    title = f"Experiment = {opt.name}, Phase = {opt.phase}, Epoch = {opt.epoch}"
    checkpoint = model.loaded.get(model.translator) or network_path(run_dir, opt.epoch, model.translator)
    rule = MaskRule.of(opt)
    settings = describe(opt, checkpoint, loader.dataset, rule)
    with replacing_folder(results) as folder:
        pictures = PictureWriter(folder, loader.dataset, opt.aspect_ratio, model.labels)
        with tqdm(total=len(loader.dataset), unit="img", desc="testing", disable=None) as bar:

            def keep(image: Scored) -> None:
                pictures(image)
                if segmentations:
                    segmentations(folder / "dicomseg", image.index, image.labels)
                bar.update()

            evaluation = evaluate(model, loader, rule, opt.surface, on_image=keep)
        evaluation.write_csv(folder / "metrics.csv")
        write_json(folder / "metrics.json", {"settings": settings} | evaluation.summary)
        write_test_page(folder, title, evaluation, settings, opt.display_winsize)
    report(evaluation, results)
    return 0


def describe(opt: argparse.Namespace, checkpoint: Path, dataset: PairedDataset, rule: MaskRule) -> dict[str, object]:
    """What the scores depend on."""
    settings = {
        "checkpoint": checkpoint.as_posix(),
        "data": opt.dataroot or opt.dataset_mode,
        "phase": opt.phase,
        "norm_stats": opt.norm_stats,
        "dropout": f"alive, seed {opt.seed}" if opt.stochastic else "off",
        "preprocess": opt.preprocess,
        "crop_size": opt.crop_size,
    }
    if opt.intensity != "none":
        settings["intensity"] = opt.intensity
    if opt.clahe:
        settings["clahe"] = "limit 2, 8 x 8 tiles"
    if opt.task == "base":
        settings["task"] = "base: only what the checkpoint started from"
    if dataset.classes and dataset.classes.binary:
        settings |= rule.settings
    if dataset.skipped:
        settings["unreadable files left out"] = len(dataset.skipped)
    return settings


def report(evaluation: Evaluation, results: Path) -> None:
    """Print the scores, those of each source too, and where the page lies."""
    if evaluation.scored:
        kind, average = ("macro", "mean") if evaluation.binary else ("micro", "pooled")
        parts = {"all": evaluation.summary} | evaluation.summary.get("by_source", {})
        for part, numbers in parts.items():
            found = numbers["macro"] | numbers[kind]  # the void rate is a mean over images in any case
            shown = "  ".join(f"{name} {found[name]:.4f}" for name in evaluation.columns if found[name] is not None)
            print(f"{part}, {average} of {numbers['images']}: {shown}")
            if found := numbers.get("detection"):
                print(f"{part}, {found['positives']} with and {found['negatives']} without a finding: Dice of "
                      f"positives only {found['dice_positives']:.4f}, of all images {found['dice_all']:.4f}; "
                      + "  ".join(f"{name} {found[name]:.4f}" for name in ("sensitivity", "specificity", "auc")))
    print(f"page: {results / 'index.html'}")


if __name__ == "__main__":
    run_script(main)
