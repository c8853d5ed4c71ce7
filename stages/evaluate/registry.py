"""The model registry of MLflow: the best target model under the alias `champion`.

Which model: of the recipe with the best mean over seeds, the seed with the best score on the validation images (the
first seed without validation images). The test scores of the seeds do not choose among them, for that would be a peek
at the test set. The champion is compared by the mean of its recipe, on the same test set and by the same metric, so a
lucky seed does not win either.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stages.evaluate.scores import metric_key
from stages.train.targets.base import Metric

ALIAS = "champion"
FLAVOUR_FOLDER, WEIGHTS_FOLDER = "target", "weights"
LONGEST_REASON = 160


@dataclass(frozen=True)
class Candidate:
    """The model that this evaluation puts forward.

    score: mean of `metric` over the seeds of the recipe. test_digest, weights_digest: hex. weights: its safetensors
    file. exportable: whether `torch.export` can trace the network.
    """

    name: str
    recipe: str
    seed: int
    metric: Metric
    score: float
    test_digest: str
    weights_digest: str
    weights: Path
    exportable: bool = True

    @property
    def key(self) -> str:
        """The name of the score: `target/<metric>`."""
        return metric_key(self.metric)

    def tags(self) -> dict[str, str]:
        """What the version in the registry says about itself."""
        return {
            "recipe": self.recipe,
            "seed": str(self.seed),
            # Names the distance within which a keypoint counts, which the key does not.
            "metric": self.metric.title,
            self.key: repr(self.score),
            "test_digest": self.test_digest,
            "weights_digest": self.weights_digest,
        }


@dataclass(frozen=True)
class Outcome:
    """What happened to the candidate: `promoted`, `kept` (the present champion stays), `unchanged` or `failed`."""

    status: str
    reason: str
    version: str = ""


def off(candidate: Candidate) -> dict[str, Any]:
    """What champion.json says when nothing could be registered."""
    return report(candidate, Outcome("off", "Nothing was registered: tracking is switched off or did not answer."))


def report(candidate: Candidate, outcome: Outcome) -> dict[str, Any]:
    """What champion.json says."""
    return {
        **asdict(outcome),
        "model": candidate.name,
        "alias": ALIAS,
        candidate.key: candidate.score,
        **_identity(candidate),
    }


def _identity(candidate: Candidate) -> dict[str, Any]:
    return {"recipe": candidate.recipe, "seed": candidate.seed, "test_digest": candidate.test_digest}


def promote(mlflow: Any, candidate: Candidate, module: nn.Module, images: np.ndarray) -> Outcome:
    """Register the candidate within the active run, and move the alias when it beats the present champion.

    module: on the CPU, in evaluation mode. images: (2 or more, C, H, W) float32 in [-1, 1], an example of its input.
    A failure of the registry is told in the outcome: it must not end the run.
    """
    try:
        return _promote(mlflow, candidate, module, images)
    except Exception as error:
        return Outcome("failed", f"Nothing was registered: {_in_short(error)}")


def _promote(mlflow: Any, candidate: Candidate, module: nn.Module, images: np.ndarray) -> Outcome:
    client = mlflow.MlflowClient()
    present = _champion(client, candidate.name)
    if present is not None and _same(present.tags, candidate):
        sentence = f"Version {present.version} of {candidate.name}, the champion, is this very model."
        return Outcome("unchanged", sentence, str(present.version))
    promoted, reason = decide(None if present is None else present.tags, candidate)
    version, note = _register(mlflow, client, candidate, module, images)
    if promoted:
        client.set_registered_model_alias(candidate.name, ALIAS, version)
    stays = "" if present is None else f"is registered, and version {present.version} stays the champion"
    verb = "is the champion" if promoted else stays
    sentence = (
        f"Version {version} of {candidate.name} ({candidate.recipe}, seed {candidate.seed}) {verb}: {reason}{note}."
    )
    return Outcome("promoted" if promoted else "kept", sentence, version)


def decide(present: Mapping[str, str] | None, candidate: Candidate) -> tuple[bool, str]:
    """Whether the candidate takes the alias from the version with these tags (None: there is none), and why."""
    if present is None:
        return True, "there was none before"
    if present.get("test_digest") != candidate.test_digest:
        return True, "the one before was measured on another test set"
    try:
        before = float(present[candidate.key])
    except (KeyError, ValueError):
        return True, "the one before has no score"
    metric, measured = candidate.metric, present.get("metric", "a metric that it does not name")
    if measured != metric.title:
        return True, f"the one before was measured by {measured}"
    now, then = (f"{value:.{metric.digits + 1}f}{metric.unit}" for value in (candidate.score, before))
    return metric.better(candidate.score, before), f"{now} against {then} {metric.short} on the same test set"


def _same(present: Mapping[str, str], candidate: Candidate) -> bool:
    keys = ("weights_digest", "test_digest", "metric", candidate.key)
    return all(present.get(key) == candidate.tags()[key] for key in keys)


def _champion(client: Any, name: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, ALIAS)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def _register(mlflow: Any, client: Any, candidate: Candidate, module: nn.Module, images: np.ndarray) -> tuple[str, str]:
    """The new version, and what there is to say about its form."""
    mlflow.log_artifact(str(candidate.weights), WEIGHTS_FOLDER)
    version, trouble = None, "torch cannot export this kind of network"
    if candidate.exportable:
        try:
            version, trouble = _export(mlflow, candidate.name, module, images), ""
        except Exception as error:
            trouble = f"torch could not export the network ({_in_short(error)})"
    form, note = ("exported", "") if version else ("weights", f"; it is the file of weights alone, for {trouble}")
    version = version or _register_weights(mlflow, client, candidate.name)
    for key, value in {**candidate.tags(), "form": form}.items():
        client.set_model_version_tag(candidate.name, version, key, value)
    return version, note


def _export(mlflow: Any, name: str, module: nn.Module, images: np.ndarray) -> str:
    import torch
    from mlflow.models import infer_signature

    with torch.inference_mode():
        scores = module(torch.from_numpy(images[:2])).numpy()
    info = mlflow.pytorch.log_model(
        module,
        name=FLAVOUR_FOLDER,
        # pt2 holds no pickle. An example of one row would fix the batch size at one; two rows leave it free.
        serialization_format="pt2",
        input_example=images[:2],
        signature=infer_signature(images[:2], scores),
        # Named here, or MLflow would start a process that loads the model to find out.
        pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}", f"mlflow=={mlflow.__version__}"],
        registered_model_name=name,
    )
    return str(info.registered_model_version)


def _register_weights(mlflow: Any, client: Any, name: str) -> str:
    """A version that is the safetensors file, which `stages.train.targets.load_target` reads."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source, run = mlflow.get_artifact_uri(WEIGHTS_FOLDER), mlflow.active_run().info.run_id
    return str(client.create_model_version(name, source, run).version)


def _in_short(error: Exception) -> str:
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."
