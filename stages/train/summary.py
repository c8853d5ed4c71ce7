"""What `train` reports: the start-up table, the flat metrics, the history."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from stages.train.training import LabelledData, Outcome


def start_table(facts: Mapping[str, object]) -> str:
    """The facts as aligned lines."""
    width = max(map(len, facts))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in facts.items())


def data_facts(data: LabelledData, validation: LabelledData | None, select: str) -> dict[str, object]:
    """How many images of which kind there are, and which weights will be kept."""
    real = int(data.is_real.sum())
    kept = f"the {select} on them" if select == "best" else "the last"
    facts: dict[str, object] = {"training images": f"{len(data)} ({real} real, {len(data) - real} made)"}
    if validation is None:
        return facts | {"validation images": "none, so the last weights are kept"}
    return facts | {"validation images": len(validation), "weights kept": kept}


def flat_metrics(outcomes: Mapping[int, Outcome], samples: int, selection: str) -> dict[str, float]:
    """Means over the seeds under the project's names; the validation scores also by seed, when there are any."""
    metrics = {
        "train/loss": _mean([outcome.loss for outcome in outcomes.values()]),
        "train/seconds": sum(outcome.seconds for outcome in outcomes.values()),
        "train/samples": float(samples),
    }
    values = {seed: outcome.value for seed, outcome in outcomes.items() if outcome.value is not None}
    if values:
        metrics[f"target/val_{selection}"] = _mean(list(values.values()))
        metrics |= {f"target/val_{selection}/seed-{seed}": value for seed, value in values.items()}
    return metrics


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def history_table(outcomes: Mapping[int, Outcome], selection: str) -> pd.DataFrame:
    """A row a look at the validation images: seed, step, loss, val_<selection>, and the same as `val_score`.

    Plots read the last column, whose name does not depend on the task.
    """
    rows = [row for outcome in outcomes.values() for row in outcome.history]
    table = pd.DataFrame(rows, columns=["seed", "step", "loss", f"val_{selection}"])
    table["val_score"] = table[f"val_{selection}"]
    return table.astype({"seed": int, "step": int})
