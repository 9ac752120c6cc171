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
from data.dicomseg import SegmentationWriter
from data.same_images import read_within, same_images
from models import MODELS, pick_device
from models.apply.trained import Trained
from models.apply.translators import shared_input
from options.parser import as_text
from util.errors import run_script
from util.files import replacing_folder, write_json, write_text
from util.score.evaluate import Scored, evaluate
from util.score.summary import in_words
from util.score.within import Within
from util.seeding import seed_everything
from util.show.comparison import OURS as COMPARED
from util.show.comparison import Comparison
from util.show.comparison_page import write_comparison_page
from util.show.test_page import write_test_page
from util.show.test_pictures import OURS, PictureWriter


def main() -> int:
    if compared := options.test.parse_compared(MODELS, DATASETS):
        return compare(compared)
    runs = options.test.parse_runs(MODELS, DATASETS)
    opt = shared_input(runs)
    device = pick_device(opt.gpu_ids)
    seed_everything(opt.seed)
    trained = Trained(runs, device)
    loader = create_dataset(opt, opt.phase, train=False, num_test=opt.num_test)
    translator = trained.translator(loader.dataset)
    segmentations = None
    if opt.write == "dicomseg":
        segmentations = SegmentationWriter(loader.dataset, f"{trained.name}, epoch {opt.epoch}")
    print(as_text(opt))
    for run in runs:
        write_text(Path(run.checkpoints_dir) / run.name / "test_opt.txt", as_text(run) + "\n")

    results = results_folder(opt, trained.name)
    within = masks_within(opt, device, loader.dataset)
    rule = trained.rule(loader, within)
    settings = trained.settings(loader.dataset, rule)
    with replacing_folder(results, OURS, "metrics.csv") as folder:
        pictures = PictureWriter(folder, loader.dataset, opt.aspect_ratio, trained.models[0].labels)
        with tqdm(total=len(loader.dataset), unit="img", desc="testing", disable=None) as bar:

            def keep(image: Scored) -> None:
                pictures(image)
                if segmentations:
                    segmentations(folder / "dicomseg", image.index, image.labels)
                bar.update()

            evaluation = evaluate(translator, loader, rule, opt.surface, keep, within=within)
        evaluation.write_csv(folder / "metrics.csv")
        write_json(folder / "metrics.json", {"settings": settings} | evaluation.summary)
        title = f"Experiment = {trained.name}, Phase = {opt.phase}, Epoch = {opt.epoch}"
        write_test_page(folder, title, evaluation, settings, opt.display_winsize)
    if evaluation.scored:
        print(*in_words(evaluation.summary, evaluation.columns, pooled=not evaluation.binary), sep="\n")
    print(f"page: {results / 'index.html'}")
    return 0


def compare(runs: list[argparse.Namespace]) -> int:
    """Show the same images as each of several runs translates them, side by side."""
    first, device = runs[0], pick_device(runs[0].gpu_ids)
    sets = same_images(runs)
    results = results_folder(first, "_".join(["compare", *(run.name.replace("/", "-") for run in runs)]))
    with replacing_folder(results, COMPARED, "compare.csv") as folder:
        comparison = Comparison(folder)
        for run, data in zip(runs, sets, strict=True):
            seed_everything(run.seed)
            loader, dataset = data.loader, data.loader.dataset
            trained = Trained([run], device)
            within = masks_within(run, device, dataset)
            rule = trained.rule(loader, within)
            settings = {"model": run.model, "netG": run.netG} | trained.settings(dataset, rule)
            comparison.add(run.name, trained.translator(dataset), loader, rule, settings, within)
            print(comparison.line(run.name), flush=True)
        comparison.write_csv(folder / "compare.csv")
        write_json(folder / "compare.json", comparison.as_json())
        write_comparison_page(folder, comparison, first.display_winsize)
    print(f"page: {results / 'index.html'}")
    return 0


def masks_within(opt: argparse.Namespace, device: torch.device, dataset: PairedDataset) -> Within | None:
    """The masks of --within RUN for the images of `dataset`, made as that run's own options say."""
    if not opt.within:
        return None
    run = options.test.parse_within(MODELS, DATASETS, opt)
    loader = read_within(run, opt, dataset)
    trained = Trained([run], device)
    return Within.by(trained.translator(loader.dataset), loader, trained.kept_rule(), run.name, trained.files)


def results_folder(opt: argparse.Namespace, name: str) -> Path:
    return Path(opt.results_dir) / name / f"{opt.phase}_{opt.epoch}{'_base' if opt.task == 'base' else ''}"


if __name__ == "__main__":
    run_script(main)
