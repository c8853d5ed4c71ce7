"""The report: one HTML file that needs no other."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stages.common.recipes import DRAWN
from stages.evaluate import charts, images
from stages.evaluate.findings import Findings
from stages.evaluate.glossary import Figure, explain, meaning_of, number
from stages.evaluate.scores import Spread, more_names, part_names
from stages.evaluate.wording import REAL_ALONE, explanation, in_brackets, opening, scale
from stages.train.targets.base import Metric

SHOWN_QUARANTINE = 10
TERMS = ("generator", "discriminator")
HARDNESS = "hardness/"
SHARE = "0 to 1"


def render(findings: Findings, tiles: Mapping[str, list[dict[str, object]]]) -> str:
    """The whole page. tiles: rows of test pictures by group, as `images.picture_rows` makes them."""
    page = Environment(
        loader=PackageLoader("stages.evaluate", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    metric, names = findings.metric, [scores.recipe for scores in findings.scores]
    page.filters |= {"number": number, "opening": opening} | _formats(metric)
    return page.get_template("report.html.j2").render(
        found=findings,
        metric=metric,
        words=findings.words,
        scale=scale(metric),
        in_brackets=in_brackets(metric),
        explanation=explanation(metric, findings.words),
        tiles=tiles,
        names=names,
        clear=findings.verdict.clear,
        charts=_charts(findings),
        legend=charts.legend,
        placers=placers(findings.evidence.placing),
        series=charts.SERIES,
        swatches=images.swatches(findings.spec.classes),
        rows=_comparison(findings),
        parts=_part_rows(findings),
        more=_more_rows(findings),
        explain=explain,
        uses_gan=findings.compares(*DRAWN),
        real_alone=REAL_ALONE,
        picture=images.picture,
        quarantine=_quarantine,
        numbers={name: i % charts.SERIES for i, name in enumerate(names)},
    )


def _formats(metric: Metric) -> dict[str, Callable[..., str]]:
    """Filters for a spread, one value, a difference with its sign, and the rounder score of one image."""
    digits, unit = metric.digits, metric.unit
    return {
        "spread": lambda spread: spread.text(digits, unit),
        "score": lambda value: f"{value:.{digits}f}{unit}",
        "signed": lambda value: f"{value:+.{digits}f}{unit}",
        "rough": lambda value: f"{value:.{digits - 1}f}{unit}",
    }


def _charts(findings: Findings) -> dict[str, Markup]:
    histories, metric, words = _histories(findings), findings.metric, findings.words
    by_part = {
        name: [s.part(name) for s in findings.scores] for name in part_names(findings.scores, findings.spec.classes)
    }
    ceiling = 1.0 if metric.range == SHARE else math.inf
    return {
        "bars": score_bars(findings),
        "parts": charts.class_dots(by_part, f"{words.part_score} of each {words.part} by recipe", ceiling),
        "gan": gan_curve(findings.evidence.stats),
        "placing": placing_curve(findings.evidence.placing),
        "loss": training_curve(histories, "loss", "Training loss by recipe"),
        "validation": training_curve(histories, f"val_{metric.name}", f"Validation {metric.short} by recipe"),
    }


def score_bars(findings: Findings) -> Markup:
    """The score of each recipe: shares on an axis from 0 to 1, others to a round number above the largest."""
    metric, rows = findings.metric, [(s.recipe, s.best()) for s in findings.scores]
    ends = [value for _, s in rows for value in (s.mean + (s.std or 0), *s.seeds) if value is not None]
    top = 1.0 if metric.range == SHARE else charts.round_above(max(ends))
    return charts.bars(rows, f"{opening(metric.title)} of each recipe on the test set", top, metric.digits, metric.unit)


def _histories(findings: Findings) -> dict[str, pd.DataFrame | None]:
    made = findings.evidence.made
    return {s.recipe: made[s.recipe].history if s.recipe in made else None for s in findings.scores}


def gan_curve(stats: Sequence[Mapping[str, float]]) -> Markup:
    """The losses of generator and discriminator over the images seen."""
    curves = {term: [(row["images"], row[term]) for row in stats if {"images", term} <= row.keys()] for term in TERMS}
    return charts.lines(curves, "Losses of the GAN", "real images shown to the discriminator", zero=True)


def placers(stats: Sequence[Mapping[str, float]]) -> list[str]:
    """What puts objects somewhere, of those whose hardness was measured."""
    return sorted({name.removeprefix(HARDNESS) for row in stats for name in row if name.startswith(HARDNESS)})


def placing_curve(stats: Sequence[Mapping[str, float]]) -> Markup:
    """The loss of the target held fixed, on composites of each placer, over the steps of the synthesizer's training."""
    curves = {
        name: [(row["step"], row[HARDNESS + name]) for row in stats if HARDNESS + name in row]
        for name in placers(stats)
    }
    return charts.lines(curves, "Loss of the fixed target", "steps of the training", zero=True)


def training_curve(histories: Mapping[str, pd.DataFrame | None], column: str, title: str) -> Markup:
    """The mean over seeds of a column of the histories, a curve a recipe."""
    curves = {}
    for recipe, history in histories.items():
        known = history is not None and {"step", column} <= set(history.columns)
        means = history.groupby("step")[column].mean() if history is not None and known else pd.Series(dtype=float)
        curves[recipe] = [(float(str(step)), float(value)) for step, value in means.items()]
    return charts.lines(curves, title, "weight updates")


def _comparison(findings: Findings) -> list[dict[str, Any]]:
    base = next((s for s in findings.scores if s.recipe == findings.baseline), None)
    return [
        {
            "recipe": s.recipe,
            "best": s.recipe == findings.verdict.winner,
            "samples": s.samples,
            "score": s.best(),
            "gain": None if base is None or base is s else s.best().mean - base.best().mean,
            "better": base is not None and s.metric.better(s.best().mean, base.best().mean),
            "seeds": list(zip(s.seeds, s.best().seeds, strict=True)),
        }
        for s in findings.scores
    ]


def _part_rows(findings: Findings) -> list[tuple[str, list[tuple[Spread | None, bool]]]]:
    """Class or keypoint -> the spread of each recipe, and whether it is the best of them."""
    rows, best = [], max if findings.metric.higher_is_better else min
    for name in part_names(findings.scores, findings.spec.classes):
        found = [s.part(name) for s in findings.scores]
        top = best(s.mean for s in found if s)
        rows.append((name, [(s, s is not None and s.mean == top and len(found) > 1) for s in found]))
    return rows


def _more_rows(findings: Findings) -> list[tuple[Figure, list[Spread | None]]]:
    """What the other scores are called and mean, and the spread of each recipe."""
    return [(meaning_of(name), [s.spread(name) for s in findings.scores]) for name in more_names(findings.scores)]


def _quarantine(table: pd.DataFrame) -> list[tuple[str, str]]:
    shown = table.head(SHOWN_QUARANTINE)
    return list(zip(shown["key"].astype(str), shown["reasons"].astype(str), strict=True))
