"""What a training run shows while it learns, as upstream's Visualizer does: log, live panels, page, running scores."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from util import distributed
from util.contracts import Batch, TrainingBatches
from util.run.discriminators import verdicts
from util.run.divergence import refuse_diverged
from util.run.log import LossLog, due, validation_columns
from util.run.outlook import Pace
from util.run.run import Run
from util.run.state import FILE, refusing_damage
from util.score.mask_rule import MaskRule
from util.score.running import RunningScores
from util.show.panels import Panels
from util.show.training_page import TrainingPage

if TYPE_CHECKING:
    from torch import Tensor

    from util.score.evaluate import Evaluation


class Report:
    """Shows one run: loss_log.txt, metrics.csv, the progress bar, visdom's panels and web/index.html.

        report = Report(run, opt, loader)
        for batch in report.batches(epoch):
            ...
            report.step(losses, model.pictures(), images)
        report.end_epoch(epoch, evaluation, model.pictures())

    In every process but the first it writes and shows nothing.
    """

    def __init__(self, run: Run, opt: argparse.Namespace, loader: TrainingBatches) -> None:
        self._run, self._loader, self._images = run, loader, loader.images
        self._log = LossLog(run.folder if run.first else None, run.last_epoch, opt.print_freq, run.progress.iters)
        display_id = opt.display_id if run.first else 0
        self._panels = Panels(
            opt.display_server, opt.display_port, opt.display_env, display_id, opt.display_ncols, opt.name
        )
        if run.first and run.continues:
            self._panels.recall(run.folder, self._images)
        with_page = run.first and not opt.no_html
        self._page = TrainingPage(run.folder, opt.name, opt.display_winsize, learns_from(loader)) if with_page else None
        self._running = RunningScores(loader.dataset, MaskRule.of(opt).threshold)
        self._pace = Pace(self._images, run.last_epoch - run.progress.epoch + 1)
        self._faults, self._warned = dict[str, str](), dict[str, int]()
        self._validated = 0  # the last epoch with a validation
        self._pictures_freq, self._page_freq = opt.display_freq, opt.update_html_freq
        if counted := run.progress.reported:
            with refusing_damage(run.folder / FILE):
                self._log.load_state_dict(counted["log"])
                self._running.load_state_dict(counted["running"])
        run.reported = lambda: {"log": self._log.state_dict(), "running": self._running.state_dict()}

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch that are still to be trained on, under a progress bar.

        UserError at the end, and in `step` when a line of the log is due: a loss was not finite.
        """
        done = self._run.progress.images
        self._loader.set_position(epoch, done)
        yield from self._log.batches(epoch, self._loader, self._images, done)
        self._stop_if_diverged()

    def step(self, losses: Mapping[str, Tensor], pictures: Mapping[str, Tensor], images: int) -> None:
        """Show a training step on `images` images of all processes, after `Run.step` has counted it.

        Does not wait for the device, except when a line of the log or a picture is due.
        """
        progress = self._run.progress
        printed = self._log.step(losses, images)
        self._running.add(pictures)
        if line := self._pace.step(losses, images):
            self._log.say(line)
        if printed:
            self._stop_if_diverged()
            self._panels.losses(progress.epoch - 1 + progress.images / self._images, printed)
        if due(progress.iters, images, self._pictures_freq):
            self._panels.pictures(pictures)
        if self._page and due(progress.iters, images, self._page_freq):
            self._page.add(progress.epoch, pictures)

    def _stop_if_diverged(self) -> None:
        # A mean that is not finite shows any loss since the epoch began that was not, at no cost in the steps.
        names = self._log.diverged()
        if distributed.any_process(bool(names)):
            refuse_diverged(names or ["a loss of another process"], self._run.folder)

    def end_epoch(self, epoch: int, evaluation: Evaluation | None, pictures: Mapping[str, Tensor]) -> None:
        """Show an epoch's mean losses and scores. evaluation: of the validation, None where the epoch had none."""
        scores = self._running.means()
        if evaluation:
            scores |= validation_columns(evaluation.means | evaluation.losses)
        losses = self._log.end_epoch(epoch, scores)
        self._panels.epoch(epoch, losses | scores)
        if evaluation:
            self._faults, self._validated = evaluation.faults, epoch
        self._warn(epoch, self._faults | verdicts(losses))
        if self._page:
            self._page.add(epoch, pictures)

    def _warn(self, epoch: int, faults: Mapping[str, str]) -> None:
        """Say what is wrong, once for each kind."""
        for kind, sentence in faults.items():
            if kind not in self._warned:
                distributed.say(f"note: epoch {epoch}: {sentence}")
                self._warned[kind] = epoch

    def close(self) -> None:
        """Bring the page and the panels to their last state, and say again what is still constant in the outputs."""
        for kind, sentence in self._faults.items():
            if self._warned.get(kind) != self._validated:  # else the last validation has just said it
                distributed.say(f"note: last validation: {sentence}")
        if self._page:
            self._page.close()
        self._panels.close()


def learns_from(loader: TrainingBatches) -> str:
    """A line that says how many images a training has, with and without targets."""
    without = len(loader.dataset.unlabelled)
    return f"{len(loader.dataset)} training images" + (f" with masks, {without} without" if without else "")
