"""Train an image translator, or fine-tune a pretrained one into a segmenter.

    python train.py @lungs --dataroot DATA --name lungs
    python train.py --dataset_mode phantom --name phantom_lungs --netG unet_64 --load_size 72 --crop_size 64
    python train.py --name lungs --continue_train

Leaves in checkpoints/<name>: latest_net_G.pth, best_net_G.pth (by the validation score), loss_log.txt, metrics.csv,
web/index.html, options.json and latest_train_state.pth (for --continue_train). With --adapt masks and the like the
donor stays frozen, and the generator's files are latest_task_G.safetensors
and best_task_G.safetensors.
"""

from __future__ import annotations

import options  # noqa: F401 - before all others, for Ctrl-C

# isort: split
from pathlib import Path
from typing import TYPE_CHECKING

from options.recorded import changed_flags, read_for_others
from options.script import as_dict
from options.train import as_text, card_facts, in_short, is_named, parse, refuse_old_run, resume_command, test_command
from util import distributed
from util.errors import UserError, run_script

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from data.augment import Augment
    from data.loader import Loader, Rehearsal
    from models.base import BaseModel
    from models.networks.generator import Generator
    from models.piggyback.task import Task
    from util.contracts import Item
    from util.run.run import Run
    from util.show.report import Report

    OldTasks = tuple[Mapping[str, Iterable[Item]], Path | None]  # as `models.rivals.create.create_rival` takes them
    Sources = Mapping[str, Mapping[str, object]]  # as `util.run.aside.write_burden` takes them


def main() -> int:
    opt = parse()
    if getattr(opt, "fold", -1) == "all":
        return train_all_folds(opt)
    refuse_old_run(opt)
    say_whose_donor_changes(opt)
    return train_run(opt)


def train_run(opt: argparse.Namespace) -> int:
    """Train one run from its first epoch, or where it stopped, to its last."""
    # torch takes seconds to load, so it waits until the flags are known to be right.
    from data import create_dataset, create_validation
    from data.augment import Augment
    from models import create_model
    from models.averages import Averages
    from models.files import load_networks
    from models.optim.optimizers import clip_gradients
    from models.optim.schedules import create_schedulers
    from models.teacher import DECAY
    from util.run.run import Run
    from util.show.report import Report

    with Run(opt) as run:
        old, sources, train = read_old_tasks(opt, create_dataset(opt, opt.phase, train=True))
        val = create_validation(opt) if run.first else None
        augment = Augment(opt.augment, run.device, train.dataset.labels)
        model = create_model(opt, run.device, training=True)
        schedulers = create_schedulers(opt, model.optimizers)
        averages = Averages(model, opt.ema or (DECAY if train.dataset.unlabelled else 0.0))
        model.averages = averages
        run.hold(model, schedulers, averages)
        if opt.continue_train:
            run.resume(load_networks(model, run.folder, opt.epoch, opt), changed_flags(opt))
            if run.finished():
                write_run_card(opt, run, train, val, again=False)  # a kill may have come just before it
                return 0
        distributed.share(model.networks.values(), model.optimizers.values())
        clip_gradients(model.optimizers.values(), opt.clip_grad)
        run.record(as_dict(opt), as_text(opt), train.files, train.dataset.masks_seen)
        say_what_begins(opt, run, train, val)
        describe_task(opt, run, model, train, val)
        hold_old_tasks(opt, run, model, old, sources, train)

        with Report(run, opt, train, val) as report:
            fit(opt, run, report, augment, val)
        say_what_ended(opt, run, train, val)
        return run.exit_code


def say_whose_donor_changes(opt: argparse.Namespace) -> None:
    """Say before it happens that the donor of other runs' tasks gets other weights."""
    if not (opt.continue_train or opt.overwrite):
        return
    from models.piggyback.files import runs_on

    checkpoints_dir = Path(opt.checkpoints_dir)
    if runs := runs_on(checkpoints_dir / opt.name, checkpoints_dir):
        kept = "" if opt.continue_train else "; the old weights move to before/ there"
        distributed.say(
            f"note: {opt.name} is the donor of {', '.join(runs)}, which work with its present weights only{kept}. To "
            "keep these tasks, stop now (Ctrl-C), and train under another --name, or export them first (python -m "
            "models.piggyback export RUN)"
        )


def read_old_tasks(opt: argparse.Namespace, new: Loader) -> tuple[OldTasks, Sources, Loader | Rehearsal]:
    """The old tasks that a new run is to be held to (--adapt ewc, lwf), which options read those that --replay stores,
    and the training batches."""
    from data import create_rehearsal, examples_of
    from models.rivals import RIVALS
    from models.rivals.create import check_start
    from options.complete.old_task import describing, old_tasks, replayed, to_measure

    begins = opt.adapt in RIVALS and not opt.continue_train
    if not (begins or opt.replay):
        return ({}, None), {}, new
    if not opt.continue_train:
        check_start(opt)
    stored = replayed(opt) if opt.replay else {}
    sources = {name: describing(old) for name, old in stored.items()}
    train = create_rehearsal(opt, new, stored) if opt.replay else new
    if not begins:
        return ({}, None), sources, train
    tasks = old_tasks(opt)
    if opt.adapt != "ewc":
        return ({task.name: () for task in tasks}, None), sources, train
    tasks = to_measure(tasks)
    return ({task.name: examples_of(task.name, task.options(opt)) for task in tasks}, tasks[0].kept), sources, train


def hold_old_tasks(
    opt: argparse.Namespace,
    run: Run,
    model: BaseModel,
    old: OldTasks,
    sources: Sources,
    train: Loader | Rehearsal,
) -> None:
    """Hold the generator to its old tasks (--adapt ewc, lwf). Say and record what the run keeps of these tasks."""
    from data.loader import Rehearsal
    from models.rivals import FILE
    from models.rivals.create import create_rival
    from util.run.aside import KEPT, write_burden

    model.rival, names = create_rival(opt, model, *old, run.folder)
    stored = train.stored if isinstance(train, Rehearsal) else {}
    if run.first and (stored or model.rival):
        tasks = {name: dict.fromkeys(KEPT, 0) for name in names}
        for name, task in stored.items():
            tasks[name] = {"images": len(task), "patients": len(set(task.patients)), "bytes": task.nbytes}
        size = (run.folder / FILE).stat().st_size if model.rival else 0
        sums = write_burden(run.folder, tasks, size, sources)
        distributed.say(
            f"kept of the old task{'s' * (len(tasks) > 1)} {', '.join(tasks)}: {sums['images']} images of "
            f"{sums['patients']} patients; {sums['bytes'] / 1e6:.1f} MB in all"
        )


def describe_task(
    opt: argparse.Namespace, run: Run, model: BaseModel, train: Loader | Rehearsal, val: Loader | None
) -> None:
    """Let the file of a task on a frozen donor say what its images look like (test.py --task auto), how it is applied,
    and the facts of its card."""
    from data import inputs_of
    from models.piggyback.inputs import describe
    from models.piggyback.task import switch
    from util.show.card import licence_in

    if not (run.first and model.tasks):
        return
    card = {**facts_of_card(opt, train, val), "Licence": licence_in(run.folder)}
    for task in model.tasks.values():
        old = {"old_classes": task.about["old_classes"]} if "old_classes" in task.about else {}
        task.about = {"name": opt.name, "options": read_for_others(run.folder), "card": card, **old}
    task = model.tasks.get(model.translator)
    if task and not task.inputs:
        net = model.generator(model.translator)
        switch(net, None)
        task.inputs = describe(net, inputs_of(opt))
        describe_old_images(opt, net, task)
        switch(net, task)


def describe_old_images(opt: argparse.Namespace, donor: Generator, task: Task) -> None:
    """Let a new task's file also say what the images that its donor learnt from look like, where they are known."""
    from data import inputs_of
    from data.classes import without_file
    from models.piggyback.files import read_task
    from models.piggyback.inputs import describe
    from options.complete.old_task import old_tasks

    if task.depends:  # --pretrained is no donor but an earlier task
        earlier = read_task(task.depends[0].path)
        task.old_inputs, task.about["old_classes"] = earlier.old_inputs, earlier.header["about"].get("old_classes")
        return
    try:
        old = old_tasks(opt)[-1].options(opt)
        task.about["old_classes"] = without_file(old.classes) if old.classes else None
        task.old_inputs = describe(donor, inputs_of(old))
    except UserError:
        distributed.say("note: the donor's own images are not recorded or not here: --task auto will not choose it")


def train_all_folds(opt: argparse.Namespace) -> int:
    """Train a run for each fold of splits.csv, then score each image by the run that has not seen it."""
    from options.complete.all_folds import begin, planned, score_words, train_words
    from options.train import TRAIN
    from util.commands import quoted, where
    from util.folds.training import run_process, train_folds
    from util.locks import only_one

    record, folder = planned(opt), Path(opt.checkpoints_dir) / opt.name
    say_whose_donor_changes(opt)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, f"{folder}: another training of all folds runs there; wait for its end"):
        record = begin(opt, record)
        count = len(record.folds)
        print(
            f"cross-validation: {count} runs of {opt.n_epochs + opt.n_epochs_decay} epochs, one after the other, in "
            f"{folder}; {len(record.trained)} are trained. Together they take about {count} times what the first one "
            "says under `time:`"
        )
        code = train_folds(folder, record, lambda fold: [__file__, *train_words(TRAIN, opt, fold)])
        if not code:
            code = run_process([str(Path(__file__).with_name("test.py")), *score_words(opt)])
    if code:
        why = "stopped" if code >= 128 else "the error above ended it"
        print(f"\n{why}; {len(record.trained)} of {count} folds are trained; to go on: {resume_command(opt)}")
    else:
        words = f"{quoted(opt.name)} IMAGES --out masks{where(opt.checkpoints_dir)}"
        print(f"all {count} runs together: python segment.py {words} --epoch best")
    return code


def say_what_begins(opt: argparse.Namespace, run: Run, train: Loader | Rehearsal, val: Loader | None) -> None:
    """Print what is trained, on which images, and where it goes."""
    from util.run.outlook import data_in_words, places_in_words

    distributed.say(
        in_short(opt),
        run.model.describe(opt.verbose),
        data_in_words(train.dataset, val.dataset if val else None),
        places_in_words(run.folder, not opt.no_html, is_named(opt)),
    )
    if opt.direction == "BtoA" and opt.dataset_mode in ("masks", "phantom"):
        distributed.say("note: --direction BtoA: this run learns to draw images from masks; for masks leave it out")


def say_what_ended(opt: argparse.Namespace, run: Run, train: Loader | Rehearsal, val: Loader | None) -> None:
    """Write the run's card, and print what to look at next, or how to go on."""
    from util.run.outlook import best_in_words, end_in_words

    write_run_card(opt, run, train, val)
    best = best_in_words(run.best, train.dataset.classes) if run.best else ""
    if run.stopped:
        distributed.say(f"\nstopped and saved; to go on: {resume_command(opt)}")
    else:
        command = test_command(opt, run.best is not None)
        distributed.say(*end_in_words(run.folder, not opt.no_html, best, command))


def write_run_card(
    opt: argparse.Namespace, run: Run, train: Loader | Rehearsal, val: Loader | None, again: bool = True
) -> None:
    """Write README.md in the run's folder, for whoever gets its weights. again: also if there is one."""
    from util.run.outlook import best_in_words
    from util.show.card import CARD, write_card

    if not run.first or (not again and (run.folder / CARD).exists()):
        return
    best = best_in_words(run.best, train.dataset.classes) if run.best else ""
    write_card(run.folder, opt.name, facts_of_card(opt, train, val) | {"Best epoch": best})


def facts_of_card(opt: argparse.Namespace, train: Loader | Rehearsal, val: Loader | None) -> dict[str, str]:
    """What a card says of the data, with their numbers, the start and the settings."""
    from util.run.outlook import data_in_words

    facts = card_facts(opt)
    facts["Data"] += ": " + data_in_words(train.dataset, val.dataset if val else None).removeprefix("data: ")
    return facts


def fit(opt: argparse.Namespace, run: Run, report: Report, augment: Augment, val: Loader | None) -> None:
    """Train epoch after epoch. val: images to score each epoch on, in the first process only."""
    from models.apply.translators import tiled
    from models.optim.optimizers import freeze_encoders
    from models.optim.schedules import step_schedulers
    from models.rivals.rehearsal import train_step
    from util.score.evaluate import evaluate
    from util.score.mask_rule import MaskRule

    model, averages = run.model, run.averages
    translator, rule = tiled(model, opt), MaskRule.of(opt)
    for epoch in run.epochs():
        freeze_encoders(model.networks, epoch, opt.freeze_encoder)
        for batch in report.batches(epoch):
            losses = train_step(model, augment(batch))
            averages.step()
            images = run.step(len(batch["A"]))
            report.step(losses, model.pictures(), images)
            run.save_if_due(images)
            if run.interrupted():
                break

        with averages.in_place():  # validate and save the averaged weights
            if not run.interrupted():
                evaluation = None
                if val and epoch % opt.val_freq == 0:
                    evaluation = evaluate(
                        translator, val, rule, on_image=report.keep, companions=False, loss=model.loss
                    )
                score = run.end_epoch(evaluation.score if evaluation else None)
                step_schedulers(run.schedulers, score)
                report.end_epoch(epoch, evaluation, model.pictures())
            run.save()


if __name__ == "__main__":
    run_script(main)
