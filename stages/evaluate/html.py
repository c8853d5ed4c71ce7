"""The report: one HTML file that needs no other."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stages.evaluate import charts, images
from stages.evaluate.findings import Findings
from stages.evaluate.glossary import explain, number
from stages.evaluate.scores import CLASS_PREFIX, Spread, class_names

SHOWN_QUARANTINE = 10
TERMS = ("generator", "discriminator")


def render(findings: Findings, tiles: Mapping[str, list[dict[str, object]]]) -> str:
    """The whole page. tiles: rows of test pictures by group, as `images.picture_rows` makes them."""
    page = Environment(
        loader=PackageLoader("stages.evaluate", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["number"] = number
    names = [scores.recipe for scores in findings.scores]
    return page.get_template("report.html.j2").render(
        found=findings,
        tiles=tiles,
        names=names,
        clear=findings.verdict.clear,
        charts=_charts(findings),
        legend=charts.legend,
        swatches=images.swatches(findings.spec.classes),
        rows=_comparison(findings),
        classes=_class_rows(findings),
        explain=explain,
        picture=images.picture,
        quarantine=_quarantine,
        numbers={name: i % charts.SERIES for i, name in enumerate(names)},
    )


def _charts(findings: Findings) -> dict[str, Markup]:
    scores, evidence = findings.scores, findings.evidence
    by_class = {
        name: [s.spread(CLASS_PREFIX + name) for s in scores] for name in class_names(scores, findings.spec.classes)
    }
    return {
        "bars": charts.bars([(s.recipe, s.best()) for s in scores], "Mean IoU of each recipe on the test set"),
        "classes": charts.class_dots(by_class, "IoU of each class by recipe"),
        "gan": gan_curve(evidence.stats),
        "loss": training_curve(_histories(findings), "loss", "Training loss by recipe"),
        "validation": training_curve(_histories(findings), "val_miou", "Validation mIoU by recipe"),
    }


def _histories(findings: Findings) -> dict[str, pd.DataFrame | None]:
    made = findings.evidence.made
    return {s.recipe: made[s.recipe].history if s.recipe in made else None for s in findings.scores}


def gan_curve(stats: Sequence[Mapping[str, float]]) -> Markup:
    """The losses of generator and discriminator over the images seen."""
    curves = {term: [(row["images"], row[term]) for row in stats if {"images", term} <= row.keys()] for term in TERMS}
    return charts.lines(curves, "Losses of the GAN", "real images shown to the discriminator", zero=True)


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
            "seeds": list(zip(s.seeds, s.best().seeds, strict=True)),
        }
        for s in findings.scores
    ]


def _class_rows(findings: Findings) -> list[tuple[str, list[tuple[Spread | None, bool]]]]:
    """Class -> the spread of each recipe, and whether it is the highest of the class."""
    rows = []
    for name in class_names(findings.scores, findings.spec.classes):
        found = [s.spread(CLASS_PREFIX + name) for s in findings.scores]
        top = max(s.mean for s in found if s)
        rows.append((name, [(s, s is not None and s.mean == top and len(found) > 1) for s in found]))
    return rows


def _quarantine(table: pd.DataFrame) -> list[tuple[str, str]]:
    shown = table.head(SHOWN_QUARANTINE)
    return list(zip(shown["key"].astype(str), shown["reasons"].astype(str), strict=True))
