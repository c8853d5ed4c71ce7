"""What the earlier stages reported, read for the report; anything that is missing is None or empty."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common.json_files import read_json
from stages.common.recipes import DRAWN, JOIN
from stages.common.samples import read_table

SHOWN_OVER_TIME = 4
MADE_FOR = {
    "pretrain": DRAWN,
    "invert": DRAWN,
    "annotate": ("annotated",),
    "refine": ("refined",),
    "compose": ("composite",),
}


@dataclass(frozen=True)
class Made:
    """What is known about the making of one recipe's training set and models."""

    recipe: str
    generate: Mapping[str, Any] | None
    validate: Mapping[str, Any] | None
    expectations: Sequence[Mapping[str, Any]] | None
    quarantine: pd.DataFrame | None
    train: Mapping[str, Any] | None
    history: pd.DataFrame | None
    samples_picture: Path
    uncertain_picture: Path
    quarantine_picture: Path
    neighbours_picture: Path

    @property
    def drawn(self) -> bool:
        """Whether a GAN drew its samples."""
        return self.recipe.removesuffix(JOIN) in DRAWN

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """How many samples broke which expectation, most first; a sample may break several."""
        listed: Iterable[object] = [] if self.quarantine is None else self.quarantine["reasons"]
        return Counter(reason for reasons in listed for reason in str(reasons).split("; ")).most_common()


@dataclass(frozen=True)
class Evidence:
    """The reports of all earlier stages. labels: of the label generator of each recipe that has one, by recipe."""

    pretrain: Mapping[str, Any] | None
    stats: Sequence[Mapping[str, float]]
    invert: Mapping[str, Any] | None
    labels: Mapping[str, Mapping[str, Any] | None]
    annotate: Mapping[str, Any] | None
    refine: Mapping[str, Any] | None
    compose: Mapping[str, Any] | None
    made: Mapping[str, Made]
    pictures: Mapping[str, Path]
    fakes: Sequence[tuple[int, Path]]
    placing: Sequence[Mapping[str, float]]
    composites: Sequence[tuple[int, Path]]


def read_evidence(root: Path, recipes: Sequence[str]) -> Evidence:
    """Everything under `root`/reports and `root`/data that the report shows.

    Raises UserError when a file is there but cannot be read.
    """
    reports = root / "reports"
    drawn = reports / "pretrain" / "pictures"
    # Without its recipe, what a stage left is of an earlier comparison: evaluate does not depend on it.
    kinds = {recipe.removesuffix(JOIN) for recipe in recipes}
    metrics = {
        stage: read_report(reports / stage / "metrics.json") if kinds & set(served) else None
        for stage, served in MADE_FOR.items()
    }
    return Evidence(
        pretrain=metrics["pretrain"],
        stats=read_lines(reports / "pretrain" / "stats.jsonl") if kinds & set(DRAWN) else [],
        invert=metrics["invert"],
        labels={r: read_report(reports / "label" / r / "metrics.json") for r in DRAWN if r in kinds},
        annotate=metrics["annotate"],
        refine=metrics["refine"] or None,
        compose=metrics["compose"] or None,
        made={recipe: _made(root, recipe) for recipe in recipes},
        pictures={
            "reals": drawn / "reals.png",
            "fakes": drawn / "fakes.png",
            "fakes_untruncated": drawn / "fakes_untruncated.png",
            "pairs": reports / "invert" / "pictures" / "pairs.png",
            "selected": reports / "annotate" / "pictures" / "selected.png",
            "before_after": reports / "refine" / "pictures" / "before_after.png",
            **{f"labels/{r}": reports / "label" / r / "pictures" / "cross_validation.png" for r in DRAWN},
        },
        fakes=over_time(drawn, "fakes") if kinds & set(DRAWN) else [],
        placing=read_lines(reports / "compose" / "stats.jsonl") if "composite" in kinds else [],
        composites=over_time(reports / "compose" / "pictures", "composites") if "composite" in kinds else [],
    )


def _made(root: Path, recipe: str) -> Made:
    reports, data = root / "reports", root / "data" / "validate" / recipe
    generated = reports / "generate" / recipe / "pictures"
    return Made(
        recipe,
        generate=read_report(reports / "generate" / recipe / "metrics.json"),
        validate=read_report(reports / "validate" / recipe / "metrics.json"),
        expectations=expectations(read_report(reports / "validate" / recipe / "validation.json")),
        quarantine=_read_parquet(data / "quarantine.parquet"),
        train=read_report(reports / "train" / recipe / "metrics.json"),
        history=_read_csv(reports / "train" / recipe / "history.csv"),
        samples_picture=generated / "samples.png",
        uncertain_picture=generated / "uncertain.png",
        quarantine_picture=reports / "validate" / recipe / "pictures" / "quarantine.png",
        neighbours_picture=reports / "validate" / recipe / "pictures" / "neighbours.png",
    )


def read_report(path: Path) -> Any:
    """The content of a JSON file; None when there is no such file."""
    anew = "delete it and rerun its stage"
    return read_json(path, missing=anew, damaged=anew) if path.is_file() else None


def read_lines(path: Path) -> list[dict[str, float]]:
    """The objects of a file with one JSON object a line; a last line that was cut off is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def expectations(content: Any) -> list[dict[str, Any]] | None:
    """The results of the expectations in a validation.json, failed ones first."""
    if content is None:
        return None
    found = content if isinstance(content, list) else next((v for v in content.values() if isinstance(v, list)), [])
    return sorted((dict(row) for row in found), key=lambda row: bool(row.get("success")))


def over_time(folder: Path, name: str, most: int = SHOWN_OVER_TIME) -> list[tuple[int, Path]]:
    """(number, picture) of <name>_<number>.png, evenly chosen from first to last."""
    numbered = [(path.stem.removeprefix(f"{name}_"), path) for path in folder.glob(f"{name}_*.png")]
    found = sorted((int(number), path) for number, path in numbered if number.isdigit())
    if len(found) <= most:
        return found
    return [found[round(i * (len(found) - 1) / (most - 1))] for i in range(most)]


def accepted_samples(root: Path, recipe: str) -> int | None:
    """How many samples of a recipe passed validation; None when validate did not run."""
    table = _read_parquet(root / "data" / "validate" / recipe / "accepted.parquet")
    return None if table is None else len(table)


def validation_scores(train: Mapping[str, Any] | None, metric: str) -> dict[int, float]:
    """Seed -> its `metric` on the validation images, from the metrics of train; empty without validation images."""
    pattern = re.compile(rf"target/val_{re.escape(metric)}/seed-(\d+)")
    found = {pattern.fullmatch(name): value for name, value in (train or {}).items()}
    return {int(match[1]): float(value) for match, value in found.items() if match and value is not None}


def _read_parquet(path: Path) -> pd.DataFrame | None:
    return read_table(path) if path.is_file() else None


def _read_csv(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.is_file() else None
