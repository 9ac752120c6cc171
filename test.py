"""Translate images with a trained run, score them against their masks, and write a page to look at.

    python test.py --dataroot DATA --name lungs
    python test.py --name lungs --epoch best --phase val --surface
    python test.py --name lungs,other --tta        (the mean of two runs, each with the mirror image; in lungs+other)
    python test.py --name lungs --samples 8        (the mean of passes with dropout, and where they disagree)
    python test.py --compare lungs lungs_scratch --phase val

Leaves in results/<name>/<phase>_<epoch>: index.html, images/, masks/, overlays/, differences/, metrics.csv,
metrics.json; with --write dicomseg also dicomseg/. --compare leaves in results/compare_<run>_<run>.../<phase>_<epoch>:
index.html, compare.csv (a line an image), compare.json, images/, truths/, overlays/<run>/, masks/<run>/.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

import options.test
from data import DATASETS, PairedDataset, create_dataset
from data.classes import Classes
from data.dicomseg import SegmentationWriter
from data.loader import Loader
from data.shelf import Shelf, Shelved
from models import MODELS, create_model, load_networks, pick_device
from models.base import BaseModel
from models.predict import create_translator, shared_input, tiled
from options.parser import as_text
from util.checkpoint import network_path, write_json, write_text
from util.comparison import OURS as COMPARED
from util.comparison import Comparison
from util.comparison_page import write_comparison_page
from util.errors import UserError, run_script
from util.postprocess import MaskRule
from util.results import PictureWriter, replacing_folder
from util.scoring import Evaluation, Scored, evaluate
from util.seeding import seed_everything
from util.test_page import write_test_page
from util.threshold import applied, keep_threshold, kept_threshold
from util.within import Within


def main() -> int:
    if compared := options.test.parse_compared(MODELS, DATASETS):
        return compare(compared)
    runs = options.test.parse_runs(MODELS, DATASETS)
    opt = shared_input(runs)
    device = pick_device(opt.gpu_ids)
    seed_everything(opt.seed)
    models = [load(run, device) for run in runs]
    loader = create_dataset(opt, opt.phase, train=False, num_test=opt.num_test)
    classes = loader.dataset.classes
    translator = create_translator(models, runs, classes.foreground if classes and classes.binary else None)
    name = opt.name if len(runs) == 1 else "+".join(run.name.replace("/", "_") for run in runs)
    segmentations = None
    if opt.write == "dicomseg":
        segmentations = SegmentationWriter(loader.dataset, f"{name}, epoch {opt.epoch}")
    print(as_text(opt))
    for run in runs:
        write_text(run_folder(run) / "test_opt.txt", as_text(run) + "\n")

    base = "_base" if opt.task == "base" else ""
    results = Path(opt.results_dir) / name / f"{opt.phase}_{opt.epoch}{base}"
    title = f"Experiment = {name}, Phase = {opt.phase}, Epoch = {opt.epoch}"
    files = [file_of(model, run) for model, run in zip(models, runs, strict=True)]
    within = segment_within(opt, device, loader.dataset) if opt.within else None
    rule = rule_of(runs, files, translator, loader, within)
    settings = describe(runs, files, loader.dataset, rule)
    with replacing_folder(results) as folder:
        pictures = PictureWriter(folder, loader.dataset, opt.aspect_ratio, models[0].labels)
        with tqdm(total=len(loader.dataset), unit="img", desc="testing", disable=None) as bar:

            def keep(image: Scored) -> None:
                pictures(image)
                if segmentations:
                    segmentations(folder / "dicomseg", image.index, image.labels)
                bar.update()

            evaluation = evaluate(translator, loader, rule, opt.surface, keep, within=within)
        evaluation.write_csv(folder / "metrics.csv")
        write_json(folder / "metrics.json", {"settings": settings} | evaluation.summary)
        write_test_page(folder, title, evaluation, settings, opt.display_winsize)
    report(evaluation, results)
    return 0


def compare(runs: list[argparse.Namespace]) -> int:
    """Show the same images as each of several runs translates them, side by side."""
    first, device = runs[0], pick_device(runs[0].gpu_ids)
    sets = same_images(runs)
    base = "_base" if first.task == "base" else ""
    together = "_".join(["compare", *(run.name.replace("/", "-") for run in runs)])
    results = Path(first.results_dir) / together / f"{first.phase}_{first.epoch}{base}"
    with replacing_folder(results, COMPARED, "compare.csv") as folder:
        comparison = Comparison(folder)
        for run, data in zip(runs, sets, strict=True):
            seed_everything(run.seed)
            model = load(run, device)
            translator, files = create_translator([model], [run], None), [file_of(model, run)]
            within = segment_within(run, device, data.loader.dataset) if run.within else None
            rule = rule_of([run], files, translator, data.loader, within)
            settings = {"model": run.model, "netG": run.netG} | describe([run], files, data.loader.dataset, rule)
            comparison.add(run.name, translator, data.loader, rule, settings, within)
            print(comparison.line(run.name), flush=True)
        comparison.write_csv(folder / "compare.csv")
        write_json(folder / "compare.json", comparison.as_json())
        write_comparison_page(folder, comparison, first.display_winsize)
    print(f"page: {results / 'index.html'}")
    return 0


def same_images(runs: list[argparse.Namespace]) -> list[Shelved]:
    """The data as each run reads them. UserError: other images than the first run's, or not of two classes."""
    shelf = Shelf(runs[0].num_test)
    sets = [shelf.get(run) for run in runs]
    for run, data in zip(runs, sets, strict=True):
        classes = data.loader.dataset.classes
        if not classes or not classes.binary:
            raise UserError(f"--compare {run.name}: masks of two classes are compared, and --classes {run.classes} of "
                            "this run are not that; give --classes lungs, or leave it out")  # fmt: skip
        if data.shows != sets[0].shows:
            raise UserError(f"--compare {run.name}: it reads other images ({len(data.loader.dataset)}) than "
                            f"{runs[0].name} ({len(sets[0].loader.dataset)}); name them with --dataroot")
    return sets


def run_folder(run: argparse.Namespace) -> Path:
    return Path(run.checkpoints_dir) / run.name


def load(run: argparse.Namespace, device: torch.device) -> BaseModel:
    """The trained model of a run."""
    model = create_model(run, device, training=False)
    load_networks(model, run_folder(run), run.epoch, run)
    return model


def file_of(model: BaseModel, run: argparse.Namespace) -> Path:
    """The file that the run's translator was loaded from."""
    return model.loaded.get(model.translator) or network_path(run_folder(run), run.epoch, model.translator)


def segment_within(opt: argparse.Namespace, device: torch.device, dataset: PairedDataset) -> Within:
    """The masks of --within RUN for the images of `dataset`, made as that run's own options say."""
    run = options.test.parse_within(MODELS, DATASETS, opt)
    classes = Classes.load(run.classes) if run.classes else dataset.classes
    for found, whose in ((classes, "that run's"), (dataset.classes, "the tested run's")):
        if found is None or not found.binary:
            raise UserError(f"--within {opt.within}: {whose} masks are not of two classes (--classes); take another")
    loader = create_dataset(run, run.phase, train=False, num_test=opt.num_test)
    model = load(run, device)
    threshold = 0.5
    if run.mask_threshold == "auto":
        threshold = kept_threshold(run_folder(run), applied([run], [file_of(model, run)]), run.name)
    within = Within()
    with tqdm(total=len(loader.dataset), unit="img", desc=f"segmenting with {opt.within}", disable=None) as bar:

        def keep(image: Scored) -> None:
            within.keep(image)
            bar.update()

        evaluate(tiled(model, run), loader, MaskRule.of(run, threshold), on_image=keep)
    return within


def rule_of(
    runs: list[argparse.Namespace], files: list[Path], translator, loader: Loader, within: Within | None
) -> MaskRule:
    """How masks are made. --mask_threshold auto chooses on val, and elsewhere takes what was chosen there."""
    opt = runs[0]
    if opt.mask_threshold != "auto":
        return MaskRule.of(opt)
    way = applied(runs, files)
    if opt.phase != "val":
        return MaskRule.of(opt, kept_threshold(run_folder(opt), way, ",".join(run.name for run in runs)))
    histograms = evaluate(translator, loader, within=within).histograms
    return MaskRule.of(opt, keep_threshold(run_folder(opt), way, histograms, opt.dataroot or opt.dataset_mode))


def describe(
    runs: list[argparse.Namespace], files: list[Path], dataset: PairedDataset, rule: MaskRule
) -> dict[str, object]:
    """What the scores depend on; runs may differ in some of it."""
    opt = runs[0]

    def each(flag: str) -> object:
        values = list(dict.fromkeys(getattr(run, flag) for run in runs))
        return values[0] if len(values) == 1 else values

    settings = {
        "checkpoint": files[0].as_posix() if len(files) == 1 else [file.as_posix() for file in files],
        "data": opt.dataroot or opt.dataset_mode,
        "phase": opt.phase,
        "norm_stats": each("norm_stats"),
        "dropout": f"alive, seed {opt.seed}" if opt.stochastic else "off",
        "preprocess": opt.preprocess,
        "crop_size": opt.crop_size,
    }
    if any(run.input_norm != "signed" for run in runs):
        settings["input_norm"] = each("input_norm")
    if opt.intensity != "none":
        settings["intensity"] = opt.intensity
    if opt.clahe:
        settings["clahe"] = "limit 2, 8 x 8 tiles"
    if any(run.patch for run in runs):
        settings |= {"patch": each("patch"), "patch_overlap": each("patch_overlap")}
    if opt.tta:
        settings["tta"] = "mean with the mirror image"
    if opt.samples:
        settings["dropout"] = f"alive, {opt.samples} passes, seeds {opt.seed} to {opt.seed + opt.samples - 1}"
    if opt.within:
        settings["within"] = f"the masks of {opt.within}"
    if opt.task == "base":
        settings["task"] = "base: only what the checkpoint started from"
    if dataset.classes and dataset.classes.binary:
        settings |= rule.settings | ({"threshold chosen on": "val"} if opt.mask_threshold == "auto" else {})
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
