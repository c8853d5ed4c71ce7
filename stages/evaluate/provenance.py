"""How the results were made: parameters, commit, versions, machine, digests, time."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from stages.common.digests import tree_digest
from stages.common.tracking import flatten, git_tags
from stages.evaluate.evidence import Evidence

PACKAGES = ("handful", "torch", "torchvision", "numpy", "great-expectations", "mlflow", "dvc", "prefect")
DIGITS = 16


@dataclass(frozen=True)
class Provenance:
    """params: dotted name -> value. facts: commit, versions, device. seconds: stage -> time, where it was reported."""

    params: Mapping[str, Any]
    facts: Mapping[str, str]
    seconds: Mapping[str, float]
    test_digest: str
    data_digests: Mapping[str, str]


def short_digest(path: Path) -> str:
    """16 hex digits of the content of a file or folder; empty when it is not there."""
    return tree_digest([path])[:DIGITS] if path.exists() else ""


def describe(
    params: Mapping[str, Any], device: str, seconds: Mapping[str, float], root: Path, recipes: Sequence[str]
) -> Provenance:
    """Everything about this run and the data it judged."""
    tags = git_tags()
    commit = tags.get("git.commit", "not in a git repository")
    if origin := tags.get("git.origin"):
        commit = f"a scratch copy of {origin}, there {commit}"
    changed = " with uncommitted changes" if tags.get("git.dirty") == "true" else ""
    facts = {"commit": commit + changed, "device": device, "system": platform.platform(terse=True)}
    return Provenance(
        params=flatten(params),
        facts=facts | {"python": platform.python_version()} | versions(),
        seconds=seconds,
        test_digest=short_digest(root / "data" / "prepare" / "test"),
        data_digests={r: short_digest(root / "data" / "generate" / r) for r in recipes},
    )


def versions() -> dict[str, str]:
    """Installed versions of the packages that shape the results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def reported_seconds(evidence: Evidence) -> dict[str, float]:
    """Stage, or stage and recipe -> the time that its metrics name (`.../seconds`), where they name one."""
    reports = {"pretrain": evidence.pretrain, "invert": evidence.invert}
    reports |= {f"label {recipe}": values for recipe, values in evidence.labels.items()}
    for recipe, made in evidence.made.items():
        stages = {"generate": made.generate, "validate": made.validate, "train": made.train}
        reports |= {f"{stage} {recipe}": values for stage, values in stages.items()}
    found = {}
    for name, values in reports.items():
        times = [v for k, v in (values or {}).items() if k.endswith("/seconds") and isinstance(v, int | float)]
        if times:
            found[name] = float(max(times))
    return found
