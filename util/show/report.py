"""What a training run shows while it learns, as upstream's Visualizer does: log, live panels, page, running scores."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from util import distributed
from util.contracts import Batch, Batches, TrainingBatches
from util.errors import UserError
from util.run.discriminators import verdicts
from util.run.divergence import refuse_diverged
from util.run.log import LossLog, due, validation_columns
from util.run.outlook import Pace
from util.run.run import Run
from util.run.state import FILE, refusing_damage
from util.score.mask_rule import MaskRule
from util.score.running import RunningScores
from util.show.panels import Panels
from util.show.training.cases import Cases
from util.show.training.events import SHOWN, Events, learning_rates
from util.show.training_page import TrainingPage

if TYPE_CHECKING:
    from torch import Tensor

    from util.score.evaluate import Evaluation
    from util.score.image import Scored


class Report:
    """Shows one run: loss_log.txt, metrics.csv, the bar, visdom's panels, web/index.html, TensorBoard's events.

        with Report(run, opt, loader, val) as report:
            for batch in report.batches(epoch):
                ...
                report.step(losses, model.pictures(), images)
            evaluation = evaluate(..., on_image=report.keep)
            report.end_epoch(epoch, evaluation, model.pictures())

    val: what is validated, if anything. In every process but the first it writes and shows nothing.
    """

    def __init__(self, run: Run, opt: argparse.Namespace, loader: TrainingBatches, val: Batches | None = None) -> None:
        self._run, self._loader, self._images = run, loader, loader.images
        self._log = LossLog(run.folder if run.first else None, run.last_epoch, opt.print_freq, run.progress.iters)
        display_id = opt.display_id if run.first else 0
        self._panels = Panels(
            opt.display_server, opt.display_port, opt.display_env, display_id, opt.display_ncols, opt.name
        )
        if run.first and run.continues:
            self._panels.recall(run.folder, self._images)
        self._cases = Cases(val.dataset) if val else None
        self._page = None
        if run.first and not opt.no_html:
            classes = val.dataset.classes if val else None
            self._page = TrainingPage(run.folder, opt.name, opt.display_winsize, learns_from(loader), classes)
        self._events = Events(run.folder, self._position()) if run.first and opt.tensorboard else None
        self._running = RunningScores(loader.dataset, MaskRule.of(opt).threshold)
        self._pace = Pace(self._images, run.last_epoch - run.progress.epoch + 1)
        self._faults, self._warned = dict[str, str](), dict[str, int]()
        self._validated = 0  # the last epoch with a validation
        self._rates = dict[str, float]()
        self._cases_due, self._cases_every = 0, max(1, run.last_epoch // SHOWN)
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
        self._rates = learning_rates(self._run.model.optimizers)
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
            if self._events:
                self._events.losses(self._position(), printed)
        if due(progress.iters, images, self._pictures_freq):
            self._panels.pictures(pictures)
        if self._page and due(progress.iters, images, self._page_freq):
            self._page.add(progress.epoch, pictures, self._status("Running"), self._run.best)

    def keep(self, image: Scored) -> None:
        """Take an image of the validation for the page and for TensorBoard. May be called from several threads."""
        if self._cases and (self._page or self._events):
            self._cases.keep(image)

    def _position(self) -> int:
        """How many images the run has trained on, by the epochs that it has done. An older epoch that a run goes back
        to has this number, too, while `iters` begins at 0 again."""
        progress = self._run.progress
        return (progress.epoch - 1) * self._images + progress.images

    def _status(self, state: str) -> str:
        """A sentence on how far the run is."""
        progress, last = self._run.progress, self._run.last_epoch
        epoch, share = progress.epoch, progress.images / self._images
        if epoch > last:
            return f"{state}: {last} of {last} epochs."
        left = self._log.left() if state == "Running" else None
        return f"{state}: epoch {epoch} of {last}, {share:.0%} of it done" + (f", about {left} left." if left else ".")

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
        cases = self._cases.take() if self._cases else []
        if self._page:
            self._page.add(epoch, pictures, self._status("Running"), self._run.best, cases)
        if self._events:
            self._events.epoch(self._position(), losses | scores, self._rates)
            if cases and epoch >= self._cases_due:
                self._events.cases(self._position(), cases)
                self._cases_due = epoch + self._cases_every

    def _warn(self, epoch: int, faults: Mapping[str, str]) -> None:
        """Say what is wrong, once for each kind."""
        for kind, sentence in faults.items():
            if kind not in self._warned:
                distributed.say(f"note: epoch {epoch}: {sentence}")
                self._warned[kind] = epoch

    def __enter__(self) -> Report:
        if self._page:
            self._page.begin(self._run.progress.epoch, self._status("Running"), self._run.best)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        """Bring the page, the panels and the events to their last state, and say again what is still constant in the
        outputs. After an error the page says so."""
        if kind is None:
            for name, sentence in self._faults.items():
                if self._warned.get(name) != self._validated:  # else the last validation has just said it
                    distributed.say(f"note: last validation: {sentence}")
        try:
            if self._page:
                self._page.close(self._status(self._end(error)))
        except UserError:
            if kind is None:  # else the first error is the one to show
                raise
        self._panels.close()
        if self._events:
            self._events.close()

    def _end(self, error: BaseException | None) -> str:
        if error:
            return f"Ended by an error ({' '.join(str(error).split()) or type(error).__name__})"
        if self._run.stopped:
            return "Interrupted, and saved"
        return "Finished" if self._run.finished() else "Ended early (--early_stop)"


def learns_from(loader: TrainingBatches) -> str:
    """A line that says how many images a training has, with and without targets."""
    without = len(loader.dataset.unlabelled)
    return f"{len(loader.dataset)} training images" + (f" with masks, {without} without" if without else "")
