from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluate_builders import GAZE, MIOU, PCK, scored
from torch import nn

from stages.common.tracking import tracking
from stages.common.weights import load_weights, save_weights
from stages.evaluate.registry import Candidate, Outcome, decide, off, promote
from stages.evaluate.runs import log_recipes
from stages.train.targets import TARGETS


def candidate(score: float, test_digest: str = "T", weights_digest: str = "w", weights: Path = Path("w")) -> Candidate:
    return Candidate("handful-digits", "gan", 1, MIOU, score, test_digest, weights_digest, weights)


def test_only_a_better_score_on_the_same_test_set_takes_the_title():
    present = candidate(0.5).tags()
    assert decide(None, candidate(0.1))[0]
    assert decide(present, candidate(0.51))[0]
    assert not decide(present, candidate(0.5))[0]
    assert not decide(present, candidate(0.4))[0]
    assert decide(present, candidate(0.4, test_digest="other"))[0]
    assert decide({"test_digest": "T"}, candidate(0.4))[0]


def test_an_error_takes_the_title_when_it_is_lower():
    present = replace(candidate(7.5), metric=GAZE)
    assert present.tags()["target/gaze_deg"] == "7.5"
    promoted, reason = decide(present.tags(), replace(present, score=6.25))
    assert (promoted, reason) == (True, "6.250° against 7.500° gaze error on the same test set")
    assert not decide(present.tags(), replace(present, score=7.5))[0]
    assert not decide(present.tags(), replace(present, score=8.0))[0]
    assert off(present)["target/gaze_deg"] == 7.5


def test_a_champion_of_another_metric_gives_way():
    assert decide(candidate(0.9).tags(), replace(candidate(7.5), metric=GAZE)) == (True, "the one before has no score")


def test_shares_of_keypoints_within_other_distances_are_not_compared():
    near = replace(PCK, title="share of keypoints within 2 px")
    present, wider = replace(candidate(0.8), metric=near).tags(), replace(candidate(0.75), metric=PCK)
    assert decide(present, wider) == (True, "the one before was measured by share of keypoints within 2 px")
    assert decide(present, replace(wider, metric=near)) == (False, "0.7500 against 0.8000 PCK on the same test set")
    untold = {key: value for key, value in present.items() if key != "metric"}
    assert decide(untold, wider) == (True, "the one before was measured by a metric that it does not name")


def test_a_registry_that_fails_is_told_and_does_not_raise():
    outcome = promote(None, candidate(0.5), nn.Identity(), np.zeros((2, 1, 4, 4), np.float32))
    assert outcome.status == "failed"
    assert "AttributeError" in outcome.reason


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A fresh MLflow store in a temporary project."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI", "HANDFUL_PARENT_RUN", "HANDFUL_TRACKING", "HANDFUL_EXPERIMENT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_champion_gives_way_to_a_better_model_alone(store):
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2)).eval()
    images = np.random.default_rng(0).normal(size=(3, 1, 8, 8)).astype(np.float32)
    weights = store / "seed-1.safetensors"
    weights.write_bytes(b"weights")
    outcomes: list[Outcome] = []
    with tracking("evaluate") as track:
        for i, score in enumerate((0.5, 0.4, 0.6)):
            with torch.no_grad():
                module[0].bias.fill_(float(i))
            new = candidate(score, weights_digest=str(i), weights=weights)
            outcomes.append(track.call(lambda mlflow, new=new: promote(mlflow, new, module, images)))
        outcomes.append(track.call(lambda mlflow: promote(mlflow, new, module, images)))
        children = track.call(
            lambda mlflow: log_recipes(mlflow, [scored("real", [0.4, 0.6], 50), scored("gan", [0.7], 9)])
        )
    assert [outcome and (outcome.status, outcome.version) for outcome in outcomes] == [
        ("promoted", "1"),
        ("kept", "2"),
        ("promoted", "3"),
        ("unchanged", "3"),
    ]

    import mlflow

    champion = mlflow.MlflowClient().get_model_version_by_alias("handful-digits", "champion")
    assert (str(champion.version), champion.tags["target/miou"], champion.tags["seed"]) == ("3", "0.6", "1")
    loaded = mlflow.pytorch.load_model("models:/handful-digits@champion")
    for rows in (1, 2, 3):
        batch = torch.from_numpy(images[:rows])
        assert torch.allclose(loaded(batch), module(batch), atol=1e-6)
    saved = list((store / ".local").rglob("*"))
    assert not [path for path in saved if path.suffix in {".pkl", ".pickle", ".pth"}]
    assert any(path.name == "seed-1.safetensors" for path in saved)
    check_children(children)


class Branching(nn.Module):
    """What no export can trace: the values decide how it goes on."""

    def forward(self, images):
        return images if images.sum() > 0 else -images


@pytest.mark.parametrize(
    ("exportable", "said"), [(False, "torch cannot export this kind of network"), (True, "torch could not export the")]
)
def test_a_network_that_cannot_be_exported_is_registered_as_its_weights_and_said_to_be(store, exportable, said):
    module, params = nn.Conv2d(1, 2, 3), {"kind": "small"}
    save_weights(store / "seed-1.safetensors", module.state_dict(), params)
    images, outcomes = np.zeros((2, 1, 8, 8), np.float32), []
    with tracking("evaluate") as track:
        for score in (0.5, 0.6):
            new = replace(candidate(score, weights=store / "seed-1.safetensors"), exportable=exportable)
            outcomes.append(track.call(lambda mlflow, new=new: promote(mlflow, new, Branching(), images)))
    assert [(outcome.status, outcome.version) for outcome in outcomes] == [("promoted", "1"), ("promoted", "2")]
    for outcome in outcomes:
        assert said in outcome.reason
        assert "\n" not in outcome.reason
        assert len(outcome.reason) < 400

    import mlflow

    client = mlflow.MlflowClient()
    champion = client.get_model_version_by_alias("handful-digits", "champion")
    assert (str(champion.version), champion.tags["form"], champion.tags["target/miou"]) == ("2", "weights", "0.6")
    folder = Path(mlflow.artifacts.download_artifacts("models:/handful-digits@champion", dst_path=str(store / "got")))
    tensors, found = load_weights(folder / "seed-1.safetensors")
    assert found == params
    assert torch.equal(tensors["weight"], module.weight)


def test_the_detectors_of_torchvision_are_not_exported_and_our_own_are():
    exportable = {name: target.exportable for name, target in TARGETS.items()}
    assert {name for name, can in exportable.items() if not can} == {"ssd300", "fasterrcnn"}


def check_children(children: list[str] | None) -> None:
    """One finished child a recipe, with the same metric names and the parent's id."""
    import mlflow

    assert children is not None
    real, gan = (mlflow.get_run(run_id) for run_id in children)
    assert real.data.metrics["target/miou"] == pytest.approx(0.5)
    assert real.data.metrics["target/miou_std"] == pytest.approx(0.1414, abs=1e-4)
    assert gan.data.metrics == {"target/miou": 0.7, "samples": 9.0}
    assert real.data.tags["mlflow.parentRunId"] == gan.data.tags["mlflow.parentRunId"]
    assert (real.data.tags["recipe"], real.info.status) == ("real", "FINISHED")
