"""The cards that go with the dataset and the model, and the summary for a review in git."""

from dataclasses import replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stages.evaluate.findings import Findings
from stages.evaluate.glossary import Figure, meaning_of, number
from stages.evaluate.scores import part_names
from stages.evaluate.wording import (
    REAL_ALONE,
    in_brackets,
    labels_of,
    opening,
    recipe_lines,
    scale,
    task_categories,
)

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "n>1M"
LABEL_QUALITY = {  # what cross-validation measures, one figure a kind of label
    "label/miou_cv": "mean IoU",
    "label/distance_px_cv": "mean distance",
    "label/absrel_cv": "mean relative error",
    "label/accuracy_cv": "accuracy",
}


def size_category(samples: int) -> str:
    """The size class that dataset hubs sort by."""
    return next((name for limit, name in SIZES if samples < limit), LARGEST)


def cell(text: object) -> str:
    """Text that stays within its cell of a Markdown table and cannot open a tag."""
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.replace("|", "\\|").split())


def dataset_card(findings: Findings) -> str:
    """What the generated dataset is, how it was made, how good its labels are and where they fail."""
    made = {
        name: m for name, m in findings.evidence.made.items() if m.generate or m.validate or m.quarantine is not None
    }
    counts = [s.samples for s in findings.scores if s.samples is not None]
    return _render(
        "dataset_card.md.j2",
        findings,
        made=made,
        size=size_category(max(counts, default=0)),
        label_quality=_label_quality(findings),
        weak_labels=_weakest(findings),
        labels=labels_of(findings.spec),
        real_alone=REAL_ALONE,
        categories=task_categories(findings.spec),
        recipes=recipe_lines([s.recipe for s in findings.scores], findings.by_oracle),
    )


def model_card(findings: Findings) -> str:
    """What the winning model is, its scores with their spread, and its limits."""
    spec, best = findings.spec, findings.best
    spreads = [(name, best.part(name)) for name in part_names([best], spec.classes)]
    sign = 1 if findings.metric.higher_is_better else -1
    present = sorted([(name, s) for name, s in spreads if s], key=lambda item: sign * item[1].mean)
    counts = {"count": len(spec.classes), "foreground": len(spec.foreground)}
    output = findings.words.output.format(**counts, **spec.model_dump())
    return _render("model_card.md.j2", findings, weak_parts=present[:3], output=output)


def summary(findings: Findings) -> str:
    """The comparison as a table, for a review in git."""
    return _render("summary.md.j2", findings)


def _label_quality(findings: Findings) -> dict[str, Figure]:
    """How good the labels of each recipe are by cross-validation, where that was measured."""
    found = {}
    measured = {recipe: values or {} for recipe, values in findings.evidence.labels.items()}
    for recipe, values in measured.items():
        for name in [name for name in LABEL_QUALITY if name in values]:
            found[recipe] = replace(meaning_of(name, f"{values[name]:.3f}"), label=LABEL_QUALITY[name])
    return found


def _weakest(findings: Findings, most: int = 3) -> dict[str, list[tuple[str, float]]]:
    """Of each recipe whose labels are generated the classes with the lowest overlap, lowest first."""
    prefix, weakest = "label/iou_cv/", {}
    for recipe, values in findings.evidence.labels.items():
        found = {k.removeprefix(prefix): v for k, v in (values or {}).items() if k.startswith(prefix)}
        scored = [(name, float(value)) for name, value in found.items() if isinstance(value, int | float)]
        weakest[recipe] = sorted(scored, key=lambda item: item[1])[:most]
    return weakest


def _render(template: str, findings: Findings, **values: Any) -> str:
    # These are Markdown: `cell` escapes what comes from the user's data, and entities for quotes would show as text.
    pages = Environment(
        loader=PackageLoader("stages.evaluate", "."),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    metric = findings.metric
    pages.filters |= {"cell": cell, "number": number, "opening": opening}
    pages.filters["spread"] = lambda spread: spread.text(metric.digits, metric.unit) if spread else "-"
    names = part_names(findings.scores, findings.spec.classes)
    rows = [(name, [s.part(name) for s in findings.scores]) for name in names]
    texts = {"part_rows": rows, "words": findings.words, "scale": scale(metric), "in_brackets": in_brackets(metric)}
    return pages.get_template(template).render(found=findings, metric=metric, **texts, **values)
