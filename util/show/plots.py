"""Figures for the pages, by matplotlib without pyplot: no global state, no display, safe in any thread.

matplotlib takes a second to import, so import this module inside the function that draws.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from util.files import replacing
from util.run.log import ACCURACY, VAL, WEIGHTED, in_groups, train_and_val

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a7a00", "#444444")  # Okabe and Ito
DASHES = ("-", "--", ":")
ACCURACY_TITLE = "how often the discriminator is right"
NOT_LOSSES = {"epoch", "iters", "time", "data"}


def curves(
    losses: Sequence[Mapping[str, float]], scores: Sequence[Mapping[str, float]], folder: Path, best: int = 0
) -> list[tuple[str, str]]:
    """Draw a training run over its epochs, a file for each panel. Returns the panels' titles and their files' names.

    Losses of the game and losses against the target, which a lambda multiplies, have a panel each, so that neither
    hides the other. Loss, Dice and IoU of training and validation have a panel each, and so does how often a
    discriminator was right: of one image it is often right everywhere or nowhere, so only means say much. The last
    panel has the other validation scores.

    losses: rows of loss_log.txt (`epoch`, `iters` within it, the losses). scores: rows of metrics.csv (`epoch` and the
    quantities measured in it). best: the epoch to mark; 0 for none.
    """
    if not _losses_of(losses):  # an epoch shorter than --print_freq leaves no losses step by step
        losses = scores
    panels = {title: names for title, names in in_groups(_losses_of(losses)).items() if names}
    files = []
    for title, names in panels.items():
        figure, ax = _panel(title)
        _plot_losses(ax, losses, names, log=title == WEIGHTED)
        files.append(_save_panel(figure, ax, folder, title))
    for title, lines in _over_epochs(scores).items():
        figure, ax = _panel(title)
        for (name, colour), column in zip(_coloured(list(lines)), lines.values(), strict=True):
            rows = [row for row in scores if column in row]
            ax.plot([r["epoch"] for r in rows], [r[column] for r in rows], "o-", color=colour, ms=3, label=name)
        if title == ACCURACY_TITLE:
            ax.axhline(0.5, color="#444444", linestyle="--", linewidth=1, label="chance")
            ax.set_ylim(0, 1.02)
        if best and VAL in lines:
            ax.axvline(best, color="#444444", linestyle=":", linewidth=1, label=f"best epoch: {best}")
        files.append(_save_panel(figure, ax, folder, title))
    return files


def _over_epochs(scores: Sequence[Mapping[str, float]]) -> dict[str, dict[str, str]]:
    """The panels of what is measured once an epoch: {title: {line: column of metrics.csv}}."""
    columns = _names(scores)
    panels = train_and_val(columns)
    if of_D := {name: name for name in columns if name.startswith(ACCURACY)}:
        panels[ACCURACY_TITLE] = of_D
    shown = {column for lines in panels.values() for column in lines.values()}
    if others := {name: name for name in columns if name.startswith("val_") and name not in shown}:
        panels["other validation scores"] = others
    return panels


def _losses_of(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """The names of the training losses in rows of either file."""
    return [name for name in _names(rows) if not name.startswith((ACCURACY, "train_", "val_"))]


def _panel(title: str) -> tuple[Figure, Axes]:
    figure = _figure(5.6, 3.4)
    ax = figure.subplots()
    ax.set(title=title, xlabel="epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, ax


def _save_panel(figure: Figure, ax: Axes, folder: Path, title: str) -> tuple[str, str]:
    name = f"curves_{re.sub(r'[^A-Za-z0-9]+', '_', title)}.png"
    _finish(ax)
    _save(figure, folder / name)
    return title, name


def _plot_losses(ax: Axes, losses: Sequence[Mapping[str, float]], names: Sequence[str], log: bool) -> None:
    # `iters` counts images within the epoch, and in metrics.csv within the run: there a row is the mean of an epoch.
    steps = bool(losses) and "time" in losses[0]
    length = max((row["iters"] for row in losses), default=1)
    for name, colour in _coloured(names):
        rows = [row for row in losses if name in row]
        x = [row["epoch"] - 1 + row["iters"] / length if steps else row["epoch"] for row in rows]
        y = np.array([row[name] for row in rows])
        if steps:
            ax.plot(x, y, color=colour, alpha=0.25, linewidth=0.8)
            ax.plot(x, _smooth(y), color=colour, linewidth=1.6, label=name)
        else:
            ax.plot(x, y, "o-", color=colour, ms=3, label=name)
    if log:
        _log_scale(ax, [row[name] for row in losses for name in names if row.get(name, 0) > 0])


def _log_scale(ax: Axes, values: Sequence[float]) -> None:
    """Give an axis a logarithmic scale with plain numbers at its ticks, also where it spans less than a decade."""
    if not values:
        return
    ax.set_yscale("log")
    ratio = max(values) / min(values)
    ax.yaxis.set_major_locator(
        LogLocator(subs=(1.0,) if ratio > 1000 else (1.0, 2.0, 5.0) if ratio > 10 else range(1, 10))
    )
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def threshold_plot(curve: Mapping[str, np.ndarray], chosen: float, path: Path) -> None:
    """Draw macro Dice and IoU against the threshold, and mark the threshold in use.

    curve: `threshold`, `dice` and `iou`, each [N].
    """
    figure = _figure(5.6, 3.4)
    ax = figure.subplots()
    for name, label, colour in (("dice", "Dice", COLOURS[0]), ("iou", "IoU", COLOURS[1])):
        ax.plot(curve["threshold"], curve[name], color=colour, label=label)
    ax.axvline(chosen, color="#444444", linestyle="--", linewidth=1, label=f"in use: {chosen:g}")
    ax.set(title="mean over images", xlabel="threshold", xlim=(0, 1), ylim=(0, 1.02))
    _finish(ax)
    _save(figure, path)


def histogram_plot(groups: Mapping[str, Sequence[float]], label: str, path: Path) -> None:
    """Draw a histogram of a score in 0..1 over images. groups: the scores of each source, stacked."""
    figure = _figure(5.6, 3.4)
    ax = figure.subplots()
    values = [np.asarray(scores, dtype=float) for scores in groups.values()]
    every = np.concatenate(values)
    every = every[~np.isnan(every)]
    # The axis starts at the worst image: from 0, a good model's images would all be in the last bin.
    low = min(np.floor(every.min() * 20) / 20, 0.95) if len(every) else 0.0
    colours = [colour for _, colour in _coloured(list(groups))]
    ax.hist(values, bins=np.linspace(low, 1, 41).tolist(), stacked=True, color=colours, label=list(groups))
    ax.axvline(every.mean() if len(every) else 0, color="#444444", linestyle="--", linewidth=1, label="mean")
    ax.set(title=f"{label} of single images", xlabel=label, ylabel="images", xlim=(low, 1))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(ax)
    _save(figure, path)


def bars(panels: Mapping[str, Mapping[str, float | None]], path: Path) -> None:
    """Draw costs side by side: a panel for each title, a bar for each name, with its value at the end.

    None means that the value was not recorded.
    """
    names = list(dict.fromkeys(name for values in panels.values() for name in values))
    figure = _figure(4.2 * len(panels), 0.9 + 0.32 * len(names))
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for ax, (title, values) in zip(axes, panels.items(), strict=True):
        widths = [values.get(name) or 0 for name in names]
        drawn = ax.barh(names, widths, color=[colour for _, colour in _coloured(names)], height=0.66)
        labels = ["not recorded" if values.get(name) is None else f"{values[name]:.3g}" for name in names]
        ax.bar_label(drawn, labels, padding=4, fontsize=8)
        ax.set(title=title, xlim=(0, 1.28 * max([*widths, 1e-9])))
        ax.tick_params(axis="y", length=0)
        _finish(ax)
    axes[0].invert_yaxis()
    _save(figure, path)


def paths(
    panels: Sequence[tuple[str, str, Mapping[str, tuple[Sequence[float], Sequence[float]]], Mapping[str, float]]],
    path: Path,
    steps: Sequence[str] = (),
) -> None:
    """Draw scores over epochs, or over `steps` with these names.

    panels: for each panel its title, the name of the score, {line: (epochs or numbers of steps, scores)}, and
    {level: score}. Levels are dashed lines across the panel.
    """
    figure = _figure(4.4 * len(panels) + 1.6, 3.4)
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    every = list(dict.fromkeys(name for _, _, lines, _ in panels for name in lines))
    looks = {
        name: (colour, DASHES[i // len(COLOURS) % len(DASHES)]) for i, (name, colour) in enumerate(_coloured(every))
    }
    for ax, (title, score, lines, levels) in zip(axes, panels, strict=True):
        for name, (x, y) in lines.items():
            colour, dash = looks[name]
            ax.plot(x, y, marker="o", ms=4, color=colour, linestyle=dash, label=name)
        for (name, value), dash in zip(levels.items(), DASHES[1:], strict=False):
            ax.axhline(value, color="#444444", linestyle=dash, linewidth=1, label=name)
        ax.set(title=title, xlabel="" if steps else "epochs of learning", ylabel=score)
        if steps:
            ax.set_xticks(range(len(steps)), steps, fontsize=8)
        else:
            ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _frame(ax)
    shown = {label: line for ax in axes for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside right center", fontsize=8, frameon=False)
    _save(figure, path)


def _names(rows: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row if name not in NOT_LOSSES))


def _coloured(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)]


def _smooth(y: np.ndarray) -> np.ndarray:
    """Running mean over a twentieth of the curve: the losses of a GAN's single steps are mostly noise."""
    width = max(1, len(y) // 20)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    start = np.maximum(np.arange(len(y)) - width + 1, 0)
    end = np.arange(len(y)) + 1
    return (sums[end] - sums[start]) / (end - start)


def _figure(width: float, height: float) -> Figure:
    """An empty figure. width, height: in inches."""
    return Figure(figsize=(width, height), dpi=144, layout="constrained")


def _finish(ax: Axes) -> None:
    _frame(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, frameon=False)


def _frame(ax: Axes) -> None:
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    # Names of runs and hospitals may hold two dollar signs, between which matplotlib would look for a formula.
    with rc_context({"text.parse_math": False}), replacing(path, "wb") as file:
        for text in figure.findobj(Text):
            text.set_parse_math(False)
        FigureCanvasAgg(figure).print_png(file)
