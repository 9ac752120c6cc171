"""Figures for the pages. Matplotlib's objects without pyplot: no global state, no display, safe in any thread."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from util.files import replacing
from util.run.log import train_and_val

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a7a00", "#444444")  # Okabe and Ito
NOT_LOSSES = {"epoch", "iters", "time", "data"}


def curves(losses: Sequence[Mapping[str, float]], scores: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw a training run over epochs: losses step by step; loss, Dice and IoU of training beside those of validation,
    a panel each; the other validation scores.

    losses: rows of loss_log.txt (`epoch`, `iters` within it, the losses); scores: rows of metrics.csv (`epoch` and
    whatever was measured in it; what the panels before have is left out of the last).
    """
    names = _names(losses)
    score_names = _names(scores)
    pairs = train_and_val(score_names)
    shown = {*names, *(column for lines in pairs.values() for column in lines.values())}
    panels = {title: list(lines.items()) for title, lines in pairs.items()}
    if rest := [(name, name) for name in score_names if name not in shown]:
        panels["validation"] = rest
    first = 1 if names or not panels else 0  # an epoch shorter than --print_freq leaves no losses step by step
    count = first + len(panels)
    columns = min(2, count)
    figure = Figure(figsize=(6.2 * columns, 3.4 * -(-count // columns)), dpi=144, layout="constrained")
    places = figure.add_gridspec(-(-count // columns), columns)
    axes = [figure.add_subplot(places[i // columns, i % columns]) for i in range(count)]

    # Lines give images within the epoch; the longest epoch seen tells how many there are in one.
    length = max((row["iters"] for row in losses), default=1)
    for name, colour in _coloured(names):
        rows = [row for row in losses if name in row]
        x = [row["epoch"] - 1 + row["iters"] / length for row in rows]
        y = np.array([row[name] for row in rows])
        axes[0].plot(x, y, color=colour, alpha=0.25, linewidth=0.8)
        axes[0].plot(x, _smooth(y), color=colour, linewidth=1.6, label=name)
    if first:
        axes[0].set(title="losses", xlabel="epoch")
    if names and all(row[name] > 0 for row in losses for name in names if name in row):
        axes[0].set_yscale("log")
    for ax, (title, lines) in zip(axes[first:], panels.items(), strict=True):
        for (name, colour), (_, column) in zip(_coloured([name for name, _ in lines]), lines, strict=True):
            rows = [row for row in scores if column in row]
            ax.plot([r["epoch"] for r in rows], [r[column] for r in rows], "o-", color=colour, ms=3, label=name)
        ax.set(title=title, xlabel="epoch")
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _finish(ax)
    _save(figure, path)


def threshold_plot(curve: Mapping[str, np.ndarray], chosen: float, path: Path) -> None:
    """Draw macro Dice and IoU against the threshold, with the one in use marked."""
    figure = Figure(figsize=(5.6, 3.4), dpi=144, layout="constrained")
    ax = figure.subplots()
    for name, label, colour in (("dice", "Dice", COLOURS[0]), ("iou", "IoU", COLOURS[1])):
        ax.plot(curve["threshold"], curve[name], color=colour, label=label)
    ax.axvline(chosen, color="#444444", linestyle="--", linewidth=1, label=f"in use: {chosen:g}")
    ax.set(title="mean over images", xlabel="threshold", xlim=(0, 1), ylim=(0, 1.02))
    _finish(ax)
    _save(figure, path)


def histogram_plot(groups: Mapping[str, Sequence[float]], label: str, path: Path) -> None:
    """Draw how a score in 0..1 is spread over images, stacked by group (source)."""
    figure = Figure(figsize=(5.6, 3.4), dpi=144, layout="constrained")
    ax = figure.subplots()
    every = np.concatenate([np.asarray(values, dtype=float) for values in groups.values()])
    every = every[~np.isnan(every)]
    # From the worst image to 1, so that a good model's spread is not squeezed into the last bin.
    low = np.floor(every.min() * 20) / 20 if len(every) else 0.0
    low = min(low, 0.95)
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(groups))]
    values = [np.asarray(v, dtype=float) for v in groups.values()]
    ax.hist(values, bins=np.linspace(low, 1, 41), stacked=True, color=colours, label=list(groups))
    ax.axvline(every.mean() if len(every) else 0, color="#444444", linestyle="--", linewidth=1, label="mean")
    ax.set(title=f"{label} of single images", xlabel=label, ylabel="images", xlim=(low, 1))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(ax)
    _save(figure, path)


def bars(panels: Mapping[str, Mapping[str, float | None]], path: Path) -> None:
    """Draw costs side by side: a panel for each title, a bar for each name, its value written at its end."""
    names = list(dict.fromkeys(name for values in panels.values() for name in values))
    size = (4.2 * len(panels), 0.9 + 0.32 * len(names))
    figure = Figure(figsize=size, dpi=144, layout="constrained")
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
) -> None:
    """Draw scores over epochs: a panel for each (title, name of the score, {line: (epochs, scores)}, {level: score}).

    Levels are dashed lines across the panel.
    """
    figure = Figure(figsize=(6.0 * len(panels), 3.6), dpi=144, layout="constrained")
    for ax, (title, score, lines, levels) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        for (name, colour), (x, y) in zip(_coloured(list(lines)), lines.values(), strict=True):
            ax.plot(x, y, "o-", color=colour, ms=4, label=name)
        for (name, value), dash in zip(levels.items(), ("--", ":"), strict=False):
            ax.axhline(value, color="#444444", linestyle=dash, linewidth=1, label=name)
        ax.set(title=title, xlabel="epochs of learning", ylabel=score)
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _finish(ax)
    _save(figure, path)


def _names(rows: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row if name not in NOT_LOSSES))


def _coloured(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)]


def _smooth(y: np.ndarray) -> np.ndarray:
    """Running mean over about a twentieth of the curve: single steps of a GAN are noise."""
    width = max(1, len(y) // 20)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    start = np.maximum(np.arange(len(y)) - width + 1, 0)
    end = np.arange(len(y)) + 1
    return (sums[end] - sums[start]) / (end - start)


def _finish(ax, **legend) -> None:
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=8, frameon=False, **legend)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path, "wb") as file:
        FigureCanvasAgg(figure).print_png(file)
