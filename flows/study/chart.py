"""curve.png: the scores of a study over its axis, in the colours of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.study.description import Axis
from flows.study.lines import Line, flat
from flows.study.results import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As in stages/evaluate/report.html.j2; the first is that of the level.
COLOURS = ("#7b8794", "#d9772b", "#2a78c2", "#3f9b58", "#a458b5", "#b8912a", "#2b9c98", "#c0447a", "#6a5acd")
INK, SOFT, RULE = "#1d2126", "#5d6670", "#e2e4e7"
MARKERS = "osD^vPX<>"
LOG_ABOVE = 10  # times the smallest value


def draw_curve(path: Path, axis: Axis, measure: Measure, curves: Mapping[str, Line], level: Mapping[str, Line]) -> None:
    """A curve a row with its sample deviations; the level as a line with its band, or as a curve where it varies."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    axes = figure.subplots()
    for number, (name, line) in enumerate(level.items()):
        _level(axes, name, line, ("--", ":", "-.")[number % 3])
    for number, (name, line) in enumerate(curves.items(), start=1):
        _curve(axes, name, line, COLOURS[1 + (number - 1) % (len(COLOURS) - 1)], MARKERS[(number - 1) % len(MARKERS)])
    if is_logarithmic(axis.values):
        axes.set_xscale("log")
    axes.set_xticks(axis.values, [f"{value:g}" for value in axis.values])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(axis.title)
    axes.set_ylabel(str(measure))
    _style(axes)
    # Above the axes, where it hides no point.
    figure.legend(loc="outside upper left", ncols=3, frameon=False, labelcolor=INK, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def is_logarithmic(values: Sequence[int | float]) -> bool:
    """Whether the values span so much that equal steps are equal factors."""
    return min(values) > 0 and max(values) / min(values) > LOG_ABOVE


def _curve(axes: "Axes", name: str, line: Line, colour: str, marker: str, **more: Any) -> None:
    at = sorted(value for value in line if value is not None)
    scores = [line[value] for value in at]
    axes.errorbar(
        at, [score.mean for score in scores], [score.deviation or 0 for score in scores], label=name, color=colour,
        marker=marker, markersize=5, linewidth=1.8, elinewidth=1.1, capsize=3, **more,
    )  # fmt: skip


def _level(axes: "Axes", name: str, line: Line, dashes: str) -> None:
    score = flat(line)
    if score is None:
        _curve(axes, name, line, COLOURS[0], "_", linestyle=dashes)
        return
    axes.axhline(score.mean, color=COLOURS[0], linestyle=dashes, linewidth=1.6, label=name)
    if score.deviation:
        low, high = score.mean - score.deviation, score.mean + score.deviation
        axes.axhspan(low, high, color=COLOURS[0], alpha=0.15, linewidth=0)


def _style(axes: "Axes") -> None:
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(colors=SOFT, length=3)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
