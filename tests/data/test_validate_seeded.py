"""Good labels pass, and each seeded bad one is caught by the expectation that is about it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from validate_builders import (
    SPEC,
    Digits,
    Seeded,
    digits,
    gan_samples,
    real_samples,
    seed_bad,
    write_prepared,
)

from stages.common.samples import write_set
from stages.validate.examination import Outcome, TrainingImages, examine
from stages.validate.params import SeverityParams, ValidateParams
from stages.validate.quarantine import failure
from stages.validate.reading import JudgedSet

ROOT = Path(__file__).resolve().parents[2]
CAUGHT_BY = {
    "empty": "label_not_empty",
    "unknown": "known_classes",
    "shifted": "label_in_place",
    "noise": "no_noise",
    "duplicate": "no_exact_duplicate",
    "near duplicate": "no_near_duplicate",
    "copy": "no_training_copy",
    "near copy": "no_training_copy",
}


def as_set(images: np.ndarray, masks: np.ndarray, keys: np.ndarray, recipe: str) -> JudgedSet:
    columns = {"key": keys, "shard": "shard-000000.tar", "recipe": recipe, "source_id": keys, "uncertainty": 0.1}
    there = np.ones(len(keys), bool)
    return JudgedSet(images, masks, there, there, pd.DataFrame(columns))


def examined(data: Digits, samples: JudgedSet, params: ValidateParams | None = None) -> Outcome:
    names = np.array([f"labeled-{i:06d}" for i in range(len(data.labeled))])
    reference = as_set(data.images[data.labeled], data.masks[data.labeled], names, "real")
    seen = TrainingImages(data.images[data.training], np.array([f"t{i}" for i in data.training], object))
    return examine(samples, reference, seen, SPEC, params or ValidateParams())


@pytest.fixture(scope="module")
def data() -> Digits:
    return digits(seed=0, training=1500)


@pytest.fixture(scope="module")
def seeded(data: Digits) -> Seeded:
    return seed_bad(data, good=300, each=6, seed=0)


@pytest.fixture(scope="module")
def outcome(data: Digits, seeded: Seeded) -> Outcome:
    return examined(data, as_set(seeded.images, seeded.masks, seeded.keys, "gan"))


def test_exactly_the_seeded_samples_are_in_quarantine(seeded, outcome):
    assert set(outcome.quarantine["key"]) == seeded.bad()


@pytest.mark.parametrize("kind", CAUGHT_BY)
def test_each_kind_is_caught_by_its_expectation(seeded, outcome, kind):
    reasons = outcome.quarantine.set_index("key")["reasons"]
    assert seeded.of(kind)
    assert all(CAUGHT_BY[kind] in reasons[key].split("; ") for key in seeded.of(kind))


def test_a_copy_names_its_training_image(data, seeded, outcome):
    facts = outcome.facts.set_index("key").loc[sorted(seeded.of("copy"))]
    images = dict(zip(seeded.keys, seeded.images, strict=True))
    for key, source in facts["near_training"].items():
        assert (data.images[int(source[1:])] == images[key]).all()


def test_unknown_classes_stop_the_pipeline_and_weak_samples_do_not(outcome):
    assert {r.name for r in outcome.results if r.stops} == {"known_classes"}


def test_many_shifted_labels_stop_the_pipeline(data):
    some = data.fresh[:40]
    masks = data.masks[some]
    masks[:15] = np.roll(masks[:15], 5, axis=2)
    found = examined(data, as_set(data.images[some], masks, np.arange(40).astype(str), "gan"))
    assert "label_in_place: 15 samples" in str(failure(found.results))


def test_specks_are_caught(data):
    masks = data.masks[data.fresh[:20]]
    masks[7, ::4, 1] = 3
    found = examined(data, as_set(data.images[data.fresh[:20]], masks, np.arange(20).astype(str), "gan"))
    assert found.quarantine["key"].tolist() == ["7"]
    assert "no_one_pixel_regions" in found.quarantine["reasons"].iloc[0]


def test_a_missing_column_is_critical_and_said(data, seeded):
    samples = as_set(seeded.images[:40], seeded.masks[:40], seeded.keys[:40], "gan")
    samples.index.drop(columns="uncertainty", inplace=True)
    warned = ValidateParams(severity=SeverityParams(index_columns="warning", valid_uncertainty="warning"))
    found = examined(data, samples, warned).results
    missing = {(r.name, r.detail): r for r in found if not r.success}
    assert missing["index_columns", "uncertainty"].severity == "warning"
    assert missing["usual_uncertainty", ""].severity == "critical"
    assert "uncertainty" in missing["usual_uncertainty", ""].error


def test_correct_real_labels_pass_even_twice(data):
    twice = np.concatenate([data.labeled, data.labeled[:5]])
    keys = np.array([f"labeled-{i:06d}" for i in range(len(twice))])
    found = examined(data, as_set(data.images[twice], data.masks[twice], keys, "real"))
    assert found.quarantine.empty
    assert failure(found.results) is None


def test_a_row_that_only_says_it_is_real_is_caught(data):
    some = np.concatenate([data.labeled, data.fresh[:1]])
    found = examined(data, as_set(data.images[some], data.masks[some], np.arange(len(some)).astype(str), "real"))
    assert found.quarantine["reasons"].tolist() == ["genuine_reals"]
    assert "genuine_reals" in str(failure(found.results))


def run_stage(root: Path, recipe: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HANDFUL_TRACKING": "off", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "stages.validate", "--recipe", recipe]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("unknown", "code"), [(True, 3), (False, 0)])
def test_the_stage_ends_with_the_code_of_its_verdict(tmp_path, data, unknown, code):
    seeded = seed_bad(data, good=150, each=3, seed=1, unknown=unknown)
    write_prepared(tmp_path, data)
    write_set(tmp_path / "data/generate/gan+real", [*gan_samples(seeded, 1), *real_samples(data)])
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    done = run_stage(tmp_path, "gan+real")
    assert done.returncode == code, done.stderr
    lists, reports = tmp_path / "data/validate/gan+real", tmp_path / "reports/validate/gan+real"
    assert set(pd.read_parquet(lists / "quarantine.parquet")["key"]) == seeded.bad()
    assert len(pd.read_parquet(lists / "facts.parquet")) == len(seeded.kinds) + len(data.labeled)
    metrics = json.loads((reports / "metrics.json").read_text())
    assert metrics["validate/quarantined"] == len(seeded.bad())
    named = {entry["name"]: entry for entry in json.loads((reports / "validation.json").read_text())}
    assert named["known_classes"]["success"] is not unknown
    assert (reports / "pictures/quarantine.png").is_file()
    assert (lists / "accepted.parquet").is_file() is not unknown
    assert ("known_classes: 3 samples" in done.stderr) is unknown
    if not unknown:
        accepted = set(pd.read_parquet(lists / "accepted.parquet")["key"])
        assert accepted == set(seeded.of("good")) | {s.key for s in real_samples(data)}
