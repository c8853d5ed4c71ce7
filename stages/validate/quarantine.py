"""Which samples are judged by what, which are kept, and whether the set passes."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.validate.judging import Result

# A user's real images are the reference and the training images: only facts that no correct label can break count.
CERTAIN = (
    "unknown_pixels",
    "genuine_real",
    "unknown_boxes",
    "boxes_outside",
    "boxes_without_area",
    "missing_class",
    "unknown_class",
)
JUDGED_IN_REALS = ("key", "shard", "recipe", "source_id", "well_formed", *CERTAIN)


def judged_facts(facts: pd.DataFrame, real: np.ndarray) -> pd.DataFrame:
    """The facts without those that do not count: null in real rows, malformed rows, and as nearness in exact
    duplicates, whose reason is said once. The classes of real rows stay: they are part of the mixture.
    """
    judged = facts.copy()
    malformed = facts["well_formed"].to_numpy() == 0
    for column in judged.columns.difference(list(JUDGED_IN_REALS)):
        hidden = malformed if column.startswith("has_class_") else malformed | real
        judged[column] = judged[column].mask(hidden)
    judged.loc[malformed, judged.columns.intersection(list(CERTAIN))] = np.nan
    judged.loc[facts["exact_duplicate_of"].notna(), "near_sample_distance"] = np.nan
    return judged


def quarantined(results: Sequence[Result]) -> pd.DataFrame:
    """Columns key and reasons ("; "-joined names of the broken expectations), in the order of the first reason."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        for key in result.broken_by:
            names = reasons.setdefault(key, [])
            if result.name not in names:
                names.append(result.name)
    rows = [(key, "; ".join(names)) for key, names in reasons.items()]
    return pd.DataFrame(rows, columns=["key", "reasons"]).astype("str")


def verdict_table(keys: pd.Series, quarantine: pd.DataFrame) -> pd.DataFrame:
    """A row a sample: key, and `accepted` and `quarantined` as 0 or 1."""
    out = keys.isin(set(quarantine["key"])).astype(np.int64)
    return pd.DataFrame({"key": keys, "accepted": 1 - out, "quarantined": out})


def set_metrics(verdict: pd.DataFrame, quarantine: pd.DataFrame, results: Sequence[Result]) -> dict[str, float]:
    """validate/accepted_share, validate/accepted, validate/quarantined, and validate/<reason> of every expectation
    about samples, zeros included, so that the names are the same in every run.
    """
    counts = Counter(name for reasons in quarantine["reasons"] for name in reasons.split("; "))
    names = [result.name for result in results if "max_share" in result.bounds]
    return {
        "validate/accepted_share": float(verdict["accepted"].mean()),
        "validate/accepted": int(verdict["accepted"].sum()),
        "validate/quarantined": int(verdict["quarantined"].sum()),
        **{f"validate/{name}": counts[name] for name in dict.fromkeys(names)},
    }


def failure(results: Sequence[Result]) -> str | None:
    """One sentence about the critical expectations that failed, or None."""
    stopped = [result for result in results if result.stops]
    return "; ".join(_said(result) for result in stopped) if stopped else None


def _said(result: Result) -> str:
    name = f"{result.name} ({result.detail})" if result.detail else result.name
    if result.error:
        return f"{name}: could not be judged: {result.error}"
    if result.unexpected_count:
        return f"{name}: {result.unexpected_count} samples ({result.observed:.1%}) break it"
    return f"{name}: found {result.observed}" if result.observed is not None else f"{name}: missing"
