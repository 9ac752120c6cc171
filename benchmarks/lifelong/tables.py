"""Markdown tables of a sequence's forgetting.json."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.runs import markdown

FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "average": ("average_score", "{:.4f}".format),
    "forgetting": ("forgetting", "{:z.4f}".format),
    "BWT": ("backward_transfer", "{:z.4f}".format),
    "BWTR": ("relative_backward_transfer", "{:z.3f}".format),
    "FWT": ("forward_transfer", "{:z.4f}".format),
    "E-FWT": ("forward_generalisability", "{:z.4f}".format),
    "plasticity cost": ("intransigence", "{:z.4f}".format),
    "RMA": ("restricted_ability", "{:.3f}".format),
}
COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "floats trained a task, M": ("trainable_per_task", lambda value: f"{value / 1e6:.3f}"),
    "kB a task": ("bytes_per_task", lambda value: f"{value / 1e3:.0f}"),
    "all tasks add to the donor": ("growth", lambda value: f"{value:.1%}"),
    "images kept": ("kept_images", "{:g}".format),
    "patients": ("kept_patients", "{:g}".format),
    "kept, MB": ("kept_bytes", lambda value: f"{value / 1e6:.1f}"),
}


def tables(study: Mapping, tasks: Sequence[str], ways: Iterable[str]) -> str:
    """The scores of each task, the measures, and the costs. tasks: their names. ways: in the order of the lines."""
    methods = {way: study["methods"][way] for way in ways}  # the file has them by the alphabet
    scores = [[label, *_scores(method)] for label, method in methods.items()]
    parts = [markdown(["just learnt → after the last task", *tasks], scores)]
    for titles in (FIGURES, COSTS):
        shown = {
            title: figure
            for title, figure in titles.items()
            if any(method["figures"][figure[0]] is not None for method in methods.values())
        }
        rows = [[label, *(_cell(method, *figure) for figure in shown.values())] for label, method in methods.items()]
        parts.append(markdown(["way", *shown], rows))
    return "\n\n".join(parts)


def _scores(method: Mapping) -> list[str]:
    R = method["R"]
    return [f"{row[task]:.4f} → {R[-1][task]:.4f}" for task, row in enumerate(R)]


def _cell(method: Mapping, name: str, shown: Callable[[float], str]) -> str:
    """A figure, and half the width of its 95 % interval, if it varies with the seed."""
    value, (low, high) = method["figures"][name], method["figures_interval"].get(name, (0, 0))
    if value is None:
        return "–"
    return shown(value) + (f" ± {shown((high - low) / 2)}" if high > low else "")
