"""What evaluate leaves behind, written together or not at all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.common.paths import publish
from stages.common.samples import SampleSet
from stages.evaluate.cards import dataset_card, model_card, summary
from stages.evaluate.findings import Findings
from stages.evaluate.folds import fold_metrics
from stages.evaluate.html import render
from stages.evaluate.images import picture_rows
from stages.evaluate.predict import Evaluated
from stages.evaluate.scores import comparison, metrics


def write_reports(
    out: Path, findings: Findings, evaluated: Sequence[Evaluated], test: SampleSet, pictures: int
) -> None:
    """metrics.json, comparison.csv, champion.json, summary.md, both cards and report.html."""
    predictions = {each.scores.recipe: each.predictions for each in evaluated}
    keys, target = test.index["key"].astype(str).tolist(), evaluated[0].target
    winner, labels = findings.verdict.winner, target.labels(test)
    tiles = picture_rows(test.images, labels, keys, predictions, winner, target, pictures)
    folds = {"folds": fold_metrics(findings.folds, findings.fold_count)} if findings.folds else {}
    texts: Mapping[str, str] = {
        "metrics.json": json.dumps(metrics(findings.scores, findings.task) | folds, indent=1),
        "champion.json": json.dumps(findings.champion, indent=1),
        "comparison.csv": comparison(findings.scores).to_csv(index=False),
        "summary.md": summary(findings),
        "dataset_card.md": dataset_card(findings),
        "model_card.md": model_card(findings),
        "report.html": render(findings, tiles),
    }
    with publish(out) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
