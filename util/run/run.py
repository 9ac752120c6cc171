"""One training run: its processes, device, random state and folder, and everything it saves and resumes."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from util import distributed
from util.contracts import Averages, Trainable
from util.errors import UserError
from util.files import remove_unfinished, write_json, write_text
from util.locks import only_one
from util.run.aside import CARD, OPTIONS, RECORDS, holds_run, put_back, set_aside
from util.run.checkpoint import save_networks
from util.run.device import keep_freed_memory, pick_device
from util.run.learnt import record_learnt
from util.run.log import due
from util.run.state import FILE, Interrupts, Progress, load_run, read_state, refusing_damage, save_run
from util.run.together import finish_save
from util.score.trust.plausible import Seen
from util.seeding import seed_everything


class Run:
    """Owns what exists once per training: processes, device, seed, folder, progress.

        with Run(opt) as run:
            run.hold(model, schedulers, averages)
            for epoch in run.epochs():
                for batch in loader:
                    ...
                    run.save_if_due(run.step(len(batch["A"])))
                run.end_epoch(score)
                run.save()

    Under torchrun every process has its own Run. Only the first process writes and prints.

    first: True in the process that writes and prints. processes: how many train together. device: where the networks
    are. folder: `checkpoints/<name>`. last_epoch: number of the last epoch. progress: how far the run has come.
    stopped: whether a signal to any process ended the training. reported: what the epoch has counted so far,
    saved with the progress. No other process may train in the folder until the `with` block ends.
    """

    def __init__(self, opt: argparse.Namespace) -> None:
        distributed.start()
        self.first, self.processes = distributed.rank() == 0, distributed.world_size()
        self.device = pick_device(opt.gpu_ids)
        # Different seeds, or all processes would draw the same noise and dropout.
        seed_everything(opt.seed + distributed.rank())
        self.folder = Path(opt.checkpoints_dir) / opt.name
        self.last_epoch = opt.n_epochs + opt.n_epochs_decay
        self.progress = Progress(epoch=opt.epoch_count)
        self.continues = opt.continue_train
        self._from_latest = opt.epoch == "latest"
        self._early_stop = opt.early_stop
        self._latest_freq, self._by_iter = opt.save_latest_freq, opt.save_by_iter
        self._epoch_freq = opt.save_epoch_freq
        self._interrupts = Interrupts()
        self.stopped = False
        self.reported: Callable[[], dict] = dict
        self._alone, self._is_alone = contextlib.ExitStack(), False
        self._overwrites = opt.overwrite
        if self.first and self.folder.is_dir():
            self._take_folder()
        distributed.any_process(False)  # the others read the folder's files after the first has completed them

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type | None, *exception: object) -> None:
        self._alone.close()
        if kind is None:  # the processes leave together; after an error the others do not come to that point
            distributed.stop()

    def _take_folder(self) -> None:
        """Keep other processes out of the folder, and complete what one that was killed left half done there.

        UserError: another process trains in it.
        """
        refusal = f"{self.folder}: another training writes there now; wait for its end, or take another --name"
        self._alone.enter_context(only_one(self.folder, refusal))
        self._is_alone = True
        finish_save(self.folder)
        remove_unfinished(self.folder / name for name in (*RECORDS, *CARD, OPTIONS))
        if self.continues:
            put_back(self.folder)

    @property
    def exit_code(self) -> int:
        """0, or 128 + the number of the signal that stopped this process: 130 after Ctrl-C."""
        return self._interrupts.code

    def hold(self, model: Trainable, schedulers: Mapping, averages: Averages) -> None:
        """Take charge of saving and resuming these. averages: moving averages of the generators' weights."""
        self.model, self.schedulers, self.averages = model, schedulers, averages
        self._stateful = {
            "optimizers": model.optimizers,
            "schedulers": schedulers,
            "pools": model.pools,
            "tasks": model.tasks,
            "averages": dict(averages.items()),
        }

    def resume(self, fresh: list[str], changed: Mapping[str, str]) -> None:
        """Continue where the run stopped, now that its networks are loaded.

        fresh: networks that the folder has no file of. Optimizers continue only if every network does. An older epoch
        has no saved optimizers, but the best score so far stays the one to exceed. changed: flags that differ from the
        run's, by name, as they are shown. UserError: the state on disk does not fit.
        """
        resumed = load_run(self.folder, self._stateful) if self._from_latest and not fresh else None
        if resumed is None and (state := read_state(self.folder / FILE, whole=self._from_latest)):
            with refusing_damage(self.folder / FILE):
                last = Progress.of(state["progress"])
            self.progress.best, self.progress.best_epoch = last.best, last.best_epoch
        if resumed and "epoch_count" in changed and self.progress.epoch != resumed.epoch:
            raise UserError(
                f"--epoch_count {self.progress.epoch}: the run goes on at epoch {resumed.epoch}; leave the flag out, "
                "or go back to a saved epoch with --epoch"
            )
        if not resumed and self.progress.best_epoch >= self.progress.epoch:
            distributed.say(
                f"note: the best epoch so far, {self.progress.best_epoch}, is from before the step back to epoch "
                f"{self.progress.epoch - 1}; it stays the best until a validation exceeds its score"
            )
        self.progress = resumed or self.progress
        if self.finished():
            distributed.say(f"nothing left to do: all {self.last_epoch} epochs are done; raise --n_epochs to go on")
            return
        distributed.say(
            f"continuing at epoch {self.progress.epoch}" + ("" if resumed else ": optimizers start afresh"),
            *(f"from now on {change}" for change in changed.values()),
        )

    def record(
        self, options: Mapping[str, object], text: str, files: Iterable[Path], masks: Seen | None = None
    ) -> None:
        """Write options.json, train_opt.txt, which image files the run learns from and what their masks look like. A
        new run first moves an older run's networks out of its folder. UserError: another process has begun a run there
        since this one started."""
        if not self.first:
            return
        if not self._is_alone:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take_folder()
            if not self._overwrites and holds_run(self.folder):
                raise UserError(f"{self.folder} holds a run already, begun a moment ago: take another --name")
        if not self.continues:
            set_aside(self.folder)
        earlier = [self.folder] * self.continues
        for flag in ("pretrained", "pretrained_B", "encoder_weights"):
            start = Path(str(options.get(flag) or ""))
            earlier += [start.parent] * start.is_file()
            if options.get(flag) and flag != "encoder_weights":  # a folder or a run, or a word of another meaning
                earlier += [start, Path(str(options["checkpoints_dir"])) / start]
        record_learnt(self.folder, files, earlier)
        if masks:
            known = Seen.read(self.folder)  # of a run that continues, maybe with other data
            (known.joined(masks) if known and [*known.ranges] == [*masks.ranges] else masks).write(self.folder)
        write_text(self.folder / "train_opt.txt", text + "\n")
        write_json(self.folder / "options.json", options)

    @property
    def best(self) -> tuple[int, float] | None:
        """The epoch with the best validation score, and that score; None without a validation."""
        return (self.progress.best_epoch, self.progress.best) if self.progress.best_epoch else None

    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self.progress.epoch > self.last_epoch

    def epochs(self) -> Iterator[int]:
        """Yield the epochs to train, until the last one, an interruption (Ctrl-C, SIGTERM) or --early_stop."""
        keep_freed_memory()  # not before the images are read: large ones would leave gaps between those that are kept
        with self._interrupts:
            for epoch in range(self.progress.epoch, self.last_epoch + 1):
                if self._early_stop and self.progress.since_best >= self._early_stop:
                    since, best = self.progress.since_best, self.progress.best_epoch
                    distributed.say(
                        f"no gain in {since} validations: stopping; best epoch {best}; raise --early_stop to go on"
                    )
                    return
                self.progress.epoch = epoch
                yield epoch
                if self.interrupted():
                    return

    def step(self, images: int) -> int:
        """Count a training step on `images` images of this process. Returns its images over all processes."""
        count = images * self.processes
        self.progress.images += count
        self.progress.iters += count
        return count

    def save_if_due(self, count: int) -> None:
        """Save `latest` if --save_latest_freq asks for it after a step of `count` images, over all processes.

        Call this after the step was reported, because a save holds what the epoch has counted so far.
        """
        if due(self.progress.iters, count, self._latest_freq):
            with self.averages.in_place():
                self.save()
                if self._by_iter:
                    self._save_networks(f"iter_{self.progress.iters}")

    def interrupted(self) -> bool:
        """Whether any process was asked to stop. All processes must call this together."""
        self.stopped = distributed.any_process(bool(self._interrupts.code))
        return self.stopped

    def end_epoch(self, score: float | None) -> float | None:
        """Save the epoch if it is the best one or its number is due, and move on to the next.

        score: the validation score, higher is better; None without a validation. Only the first process validates:
        its score is returned in every process.
        """
        score = distributed.from_first(score)
        if score is not None and self.progress.note_score(score):
            self._save_networks("best")
        if self.progress.epoch % self._epoch_freq == 0:
            self._save_networks(self.progress.epoch)
        self.progress.epoch, self.progress.images = self.progress.epoch + 1, 0
        return score

    def save(self) -> None:
        """Write `latest_net_<X>.pth` and what an exact resume needs. All processes must call this together."""
        if self.first:
            self._check_folder()
            self.progress.reported = self.reported()
        save_run(self.folder, self.model.networks, self._stateful, self.progress)

    def _check_folder(self) -> None:
        """UserError: the folder was deleted. A save would make another one, without its options and unlocked."""
        if not (self.folder / OPTIONS).is_file():
            raise UserError(f"{self.folder}: was deleted or moved during the training, so nothing more is saved there")

    def _save_networks(self, epoch: str | int) -> None:
        if self.first:
            self._check_folder()
            save_networks(self.folder, epoch, self.model.networks, self.model.tasks)
