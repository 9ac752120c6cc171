"""Translate images with a trained run, score them against their masks, and write a page to look at.

    python test.py --dataroot DATA --name lungs
    python test.py --name lungs --epoch best --phase val --surface
    python test.py --name lungs,other --tta        (the mean of two runs, each with the mirror image; in lungs+other)
    python test.py --name lungs --samples 8        (the mean of passes with dropout, and where they disagree)
    python test.py --compare lungs lungs_scratch --phase val
    python test.py --name folds --phase out_of_fold   (a cross-validation: each image by the run that has not seen it)

Leaves in results/<name>/<phase>_<epoch>: index.html, images/, masks/, overlays/, differences/, metrics.csv,
metrics.json; with --write dicomseg also dicomseg/. The results of other data than the run's own, or with other
settings (also --surface and --write), are in results/<name>/<phase>_<epoch>_<data or settings>. --compare leaves in
results/compare_<run>_<run>.../<phase>_<epoch>: index.html, compare.csv (a line an image), compare.json, images/,
truths/, overlays/<run>/, masks/<run>/.
"""

from __future__ import annotations

import options  # noqa: F401 - before all others, for Ctrl-C

# isort: split
import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from options.recorded import masks_show, note_learnt
from options.results import data_of, is_own_val, is_plain, name_of, results_folder
from options.runs import best_of_all, resolve_compared, resolve_named, resolve_within
from options.test import TEST, as_text, in_short
from util.errors import UserError, run_script
from util.folds.record import OUT_OF_FOLD

# torch takes seconds to load. It is imported inside functions, which run when the flags are known to be right.
if TYPE_CHECKING:
    import torch

    from data.base import PairedDataset
    from models.apply.trained import Trained
    from util.contracts import Batches, ClassMap, ScoredData, Translator
    from util.score.evaluate import Evaluation
    from util.score.image import Scored
    from util.score.mask_rule import MaskRule
    from util.score.within import Within


def main() -> int:
    typed = TEST.typed()
    if "compare" in typed:
        return compare(resolve_compared(typed))
    runs = resolve_named(typed)
    return test_folds(runs) if len(runs) > 1 and runs[0].phase == OUT_OF_FOLD else test(runs)


def test(runs: list[argparse.Namespace]) -> int:
    """Translate the images of a phase with a run, or several runs together; score them; write a page."""
    from data import create_dataset
    from models.apply.choosing import add_choices, choices_in_words
    from models.apply.trained import LEARNT, Trained
    from models.apply.translators import shared_input
    from util.files import replacing_folder
    from util.run.device import pick_device
    from util.seeding import seed_everything
    from util.show.test_pictures import OURS

    opt = shared_input(runs)
    device = pick_device(opt.gpu_ids)
    seed_everything(opt.seed)
    trained = Trained(runs, device)
    loader = create_dataset(opt, opt.phase, train=False, num_test=opt.num_test)
    translator = trained.translator(loader.dataset.classes)
    write_segmentation = segmentation_writer(runs, opt, trained.name, loader.dataset)
    print(in_short(opt))
    within = masks_within(opt, device, loader.dataset)
    rule = trained.rule(loader, within)
    settings = trained.settings(loader.dataset, rule, {run.name: note_learnt(run, loader.dataset) for run in runs})
    results = results_folder(opt, trained.name, "metrics.json", others=runs[1:])
    with replacing_folder(results, OURS, "metrics.csv") as folder:
        evaluation = score(trained, translator, loader, rule, within, folder, [write_segmentation], "testing")
        settings |= plane_of_distances(opt, loader.dataset)
        # Another run of an ensemble may have learnt from what the first keeps apart.
        trained.expect_dice(evaluation.rows, loader.dataset.classes, is_own_val(opt) and LEARNT not in settings)
        add_choices(translator, evaluation.rows)
        title = f"Experiment = {trained.name}, Phase = {opt.phase}, Epoch = {opt.epoch}"
        write_results(folder, results, title, evaluation, settings, runs, trained.folders, loader.dataset.classes)
    if opt.task == "auto":
        print(choices_in_words(evaluation.rows))
    if evaluation.scored:
        say_scores(evaluation)
    record_in_runs(trained, results, evaluation)
    print(*evaluation.remarks, f"page: {results / 'index.html'}", sep="\n")
    return 0


def test_folds(runs: list[argparse.Namespace]) -> int:
    """Score each image of a cross-validation by the run that has not seen it; write one page. runs: of all folds."""
    from models.apply.trained import LEARNT
    from util.files import replacing_folder
    from util.folds.out_of_fold import OURS, in_words, joined, joined_settings
    from util.folds.record import name_of

    checkpoints_dir, names = Path(runs[0].checkpoints_dir), [run.name for run in runs]
    folds = [getattr(run, "fold", -1) for run in runs]
    if -1 in folds:
        raise UserError(f"--phase {OUT_OF_FOLD}: run {names[folds.index(-1)]} was trained without --fold; leave it out")
    if len({*folds}) < len(folds):
        raise UserError(f"--name {','.join(names)}: two runs of one fold; name the folds of one cross-validation")
    name = name_of(checkpoints_dir, names)
    opt = argparse.Namespace(**vars(runs[0]) | {"name": name, "fold": "all"})
    usual = OUT_OF_FOLD if opt.epoch == best_of_all(checkpoints_dir, names) else ""
    results = results_folder(opt, name, "metrics.json", usual)
    folders = [checkpoints_dir / each for each in names]
    evaluations, each, seen, classes = {}, [], set(), None
    with replacing_folder(results, OURS, "metrics.csv") as folder:
        for run in runs:
            evaluations[run.fold], settings, classes = test_fold(run, folder, seen)
            each.append(settings)
        whole, settings = joined(evaluations, each), joined_settings(each)
        title = f"Experiment = {name}, each image by the run that has not seen it, Epoch = {opt.epoch}"
        write_results(folder, results, title, whole, settings, [opt], folders, classes)
    with noted():
        link_from_training(folders, results)
    learnt = "; ".join(str(one[LEARNT]) for one in each if LEARNT in one)
    print(*in_words(whole, learnt), *whole.remarks, f"page: {results / 'index.html'}", sep="\n")
    return 0


def test_fold(
    run: argparse.Namespace, folder: Path, seen: set[str]
) -> tuple[Evaluation, dict[str, object], ClassMap | None]:
    """Score the images that one run of a cross-validation has not seen, and write their pictures into `folder`.
    Returns the scores, the settings they depend on, and the classes. seen: the ids of the folds before, to which those
    are added."""
    from data import create_dataset
    from models.apply.trained import Trained
    from util.folds.out_of_fold import refuse_repeats, save_probability
    from util.run.device import pick_device
    from util.seeding import seed_everything

    device = pick_device(run.gpu_ids)
    seed_everything(run.seed)
    trained = Trained([run], device)
    loader = create_dataset(run, run.phase, train=False, num_test=run.num_test)
    dataset = loader.dataset
    refuse_repeats(seen, dataset.ids, run.name)
    seen |= {*dataset.ids}
    within = masks_within(run, device, dataset)
    choose_threshold(run, device)
    rule = trained.rule(loader, within)
    writers = [
        lambda folder, image: save_probability(folder, dataset.ids[image.index], image, dataset.classes),
        segmentation_writer([run], run, trained.name, dataset),
    ]
    translator = trained.translator(dataset.classes)
    evaluation = score(trained, translator, loader, rule, within, folder, writers, run.name)
    trained.expect_dice(evaluation.rows, dataset.classes, own_val=False)
    settings = trained.settings(dataset, rule, {run.name: note_learnt(run, dataset)})
    return evaluation, settings | plane_of_distances(run, dataset), dataset.classes


def score(
    trained: Trained,
    translator: Translator,
    loader: Batches,
    rule: MaskRule,
    within: Within | None,
    folder: Path,
    writers: Sequence[Callable[[Path, Scored], None]],
    progress: str,
) -> Evaluation:
    """Translate the images and score them, and write each one's pictures into `folder`. writers: write more of it."""
    from util.score.evaluate import evaluate
    from util.show.test_pictures import PictureWriter

    opt, dataset = trained.runs[0], loader.dataset
    write_pictures = PictureWriter(folder, dataset, opt.aspect_ratio, trained.models[0].labels)

    def write(image: Scored) -> None:
        write_pictures(image)
        for writer in writers:
            writer(folder, image)

    seen = trained.seen(dataset.classes)
    return evaluate(translator, loader, rule, opt.surface, write, within=within, seen=seen, progress=progress)


def choose_threshold(run: argparse.Namespace, device: torch.device) -> None:
    """For --mask_threshold auto, choose the threshold of a fold's run, on the images that it validates on."""
    if run.mask_threshold == "auto":
        from data import create_dataset
        from models.apply.trained import Trained

        val = argparse.Namespace(**vars(run) | {"phase": "val"})
        loader = create_dataset(val, val.phase, train=False)
        Trained([val], device).rule(loader, masks_within(val, device, loader.dataset))


def compare(runs: list[argparse.Namespace]) -> int:
    """Show the same images as each of several runs translates them, side by side."""
    from data.same_images import same_images
    from models.apply.trained import Trained
    from util.files import replacing_folder, write_json
    from util.run.device import pick_device
    from util.seeding import seed_everything
    from util.show.comparison.page import write_comparison_page
    from util.show.comparison.runs import OURS, Comparison
    from util.show.pages import links_to_runs

    first, device = runs[0], pick_device(runs[0].gpu_ids)
    sets = same_images(runs)
    name = "_".join(["compare", *(run.name.replace("/", "-") for run in runs)])
    results = results_folder(first, name, "compare.json", others=runs[1:])
    with replacing_folder(results, OURS, "compare.csv") as folder:
        comparison = Comparison(folder)
        for run, data in zip(runs, sets, strict=True):
            seed_everything(run.seed)
            loader, dataset = data.loader, data.loader.dataset
            trained = Trained([run], device)
            within = masks_within(run, device, dataset)
            rule = trained.rule(loader, within)
            settings = trained.settings(dataset, rule, {run.name: note_learnt(run, dataset)})
            settings = {"model": run.model, "netG": run.netG} | settings
            comparison.add(run.name, trained.translator(dataset.classes), loader, rule, settings, within)
            print(comparison.line(run.name), flush=True)
        comparison.write_csv(folder / "compare.csv")
        write_json(folder / "compare.json", {"data": data_of(first, runs[1:])} | comparison.as_json())
        links = links_to_runs([Path(run.checkpoints_dir) / run.name for run in runs], results)
        write_comparison_page(folder, comparison, first.display_winsize, links)
    print(f"page: {results / 'index.html'}")
    return 0


def write_results(
    folder: Path,
    results: Path,
    title: str,
    evaluation: Evaluation,
    settings: dict[str, object],
    runs: Sequence[argparse.Namespace],
    folders: Sequence[Path],
    classes: ClassMap | None,
) -> None:
    """Write the scores as tables, and the page that shows them with the pictures in `folder`, soon called `results`.
    runs, folders: the options of the runs, and where these are."""
    from util.files import write_json
    from util.show.pages import links_to_runs
    from util.show.test_page import write_test_page

    evaluation.write_csv(folder / "metrics.csv")
    write_json(folder / "metrics.json", {"settings": settings, "data": data_of(runs[0], runs[1:])} | evaluation.summary)
    links = links_to_runs(folders, results)
    write_test_page(folder, title, evaluation, settings, runs[0].display_winsize, links, classes)


def link_from_training(folders: Sequence[Path], results: Path) -> None:
    """Add a link to the results to the training page of each run."""
    from util.show.pages import add_link

    for folder in folders:
        name = f"test: {results.parent.name}/{results.name}"
        add_link(folder / "web" / "index.html", name, results / "index.html")


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Say in a note that a file of a run cannot be written: the results of the test are whole without it."""
    from util.files import NotWritten

    try:
        yield
    except NotWritten as error:
        print(f"note: nothing is recorded in the folder of the run: {error}")


def say_scores(evaluation: Evaluation) -> None:
    from util.score.summary import in_words

    print(*in_words(evaluation.summary, evaluation.columns, pooled=not evaluation.binary), sep="\n")


def record_in_runs(trained: Trained, results: Path, evaluation: Evaluation) -> None:
    """Write test_opt.txt into each run's folder, link its page to the results, and bring its README.md up to date after
    a test of its own data in its own way."""
    from util.files import write_text
    from util.show.card import add_scores

    opt = trained.runs[0]
    with noted():
        for run, folder in zip(trained.runs, trained.folders, strict=True):
            write_text(folder / "test_opt.txt", as_text(run) + "\n")
        link_from_training(trained.folders, results)
        if evaluation.scored and len(trained.runs) == 1 and is_plain(opt, results):
            tested = {"phase": opt.phase, "epoch": opt.epoch, "data": name_of(data_of(opt))}
            add_scores(trained.folder, opt.name, tested, trained.files[0], evaluation.summary, evaluation.columns)


def plane_of_distances(opt: argparse.Namespace, dataset: PairedDataset) -> dict[str, object]:
    """For --surface, how many images have their mm at the detector and not in the patient."""
    count = dataset.spacings_at_detector() if opt.surface else 0
    if not count:
        return {}
    return {"mm at the detector": f"{count} of {len(dataset.samples)} images; in the patient, distances are shorter"}


def segmentation_writer(
    runs: list[argparse.Namespace], opt: argparse.Namespace, name: str, dataset: PairedDataset
) -> Callable[[Path, Scored], None]:
    """Writes the mask of one image into a folder of results, if --write asks for DICOM Segmentation objects."""
    if opt.write != "dicomseg":
        return lambda folder, image: None
    from data.dicomseg import SegmentationWriter, segment_names

    names = segment_names(dataset.classes, opt.classes, masks_show(runs))
    writer = SegmentationWriter(dataset, f"{name}, epoch {opt.epoch}", names, opt.skip_bad_files)

    def write(folder: Path, image: Scored) -> None:
        if image.labels is not None:
            writer(folder / "dicomseg", image.index, image.labels)

    return write


def masks_within(opt: argparse.Namespace, device: torch.device, dataset: ScoredData) -> Within | None:
    """The masks of --within RUN for the images of `dataset`, made as that run's own options say."""
    if not opt.within:
        return None
    from data.same_images import read_within
    from models.apply.trained import Trained
    from util.score.within import Within

    run = resolve_within(opt)
    loader = read_within(run, opt, dataset)
    trained = Trained([run], device)
    rule = trained.kept_rule(loader.dataset.classes)
    return Within.by(trained.translator(loader.dataset.classes), loader, rule, run.name, trained.files)


if __name__ == "__main__":
    run_script(main)
