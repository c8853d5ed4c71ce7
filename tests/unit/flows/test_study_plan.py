"""Study files: what is read from them, what is refused, and which runs follow."""

from pathlib import Path

import pytest
import yaml

from flows.overlay import described
from flows.study.description import Study, read_study
from flows.study.plan import planned
from stages.common.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "preset": "smoke",
    "set": {"train": {"steps": 7}},
    "axis": {"title": "samples", "key": "generate.samples", "values": [50, 100]},
    "rows": {
        "random": {"recipe": "composite+real", "set": {"compose": {"placer": "random"}}},
        "drawn": {"recipe": "simulated"},
    },
    "level": "real",
    "columns": {"spread": "reports/compose/metrics.json:compose/spread"},
}


def written(folder: Path, **changes: object) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return path


@pytest.fixture(autouse=True)
def _at_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {}}, "axes is not a known key; did you mean axis?"),
        ({"axis": {**GOOD["axis"], "kye": 1}}, "axis.kye is not a known key; did you mean key?"),
        ({"axis": {**GOOD["axis"], "values": [1, 1]}}, "axis.values: names a value twice"),
        ({"axis": {**GOOD["axis"], "values": []}}, "axis.values: has too few entries"),
        ({"axis": {**GOOD["axis"], "values": [True, 3]}}, "axis.values: yes, no, true and false are no numbers"),
        ({"rows": {"a": {"recipe": "composit"}}}, "rows.a.recipe: input should be 'real', 'gan'"),
        ({"rows": {"a": {"recipe": "gan", "sett": {}}}}, "rows.a.sett is not a known key; did you mean set?"),
        ({"set": {"train.steps": 7}}, "set: train.steps: a key here has no dots; nest it as train: {steps: ...}"),
        (
            {"rows": {"a": {"recipe": "gan", "set": {"compose": {"a.b.c": 1}}}}},
            "rows.a.set: a.b.c: a key here has no dots; nest it as a: {b: {c: ...}}",
        ),
        ({"rows": {}}, "rows: has too few entries"),
        ({"rows": {"a|b": {"recipe": "gan"}}}, "'a|b' is empty, or has a |"),
        ({"rows": {"real": {"recipe": "gan"}}}, "a row is called real as the level is"),
        ({"columns": {"unit": "reports/compose/metrics.json:n"}}, "columns: the column unit is called as one"),
        ({"rows": {1: {"recipe": "gan"}}}, "rows.1: a name is text; put quotes around 1"),
        ({"rows": {True: {"recipe": "gan"}}}, "rows.True: a name is text; put quotes around it"),
        ({"columns": {2.5: "reports/compose/metrics.json:n"}}, "columns.2.5: a name is text; put quotes around 2.5"),
        ({"level": "reel"}, "level: input should be 'real'"),
        ({"columns": {"spread": "compose/spread"}}, "spread: expected reports/STAGE/FILE.json:KEY, not compose/spread"),
        ({"columns": {"x": "reports/compose/metrics.json"}}, "expected reports/STAGE/FILE.json:KEY"),
        ({"columns": {"x": "reports/compose/metrics.json: "}}, "expected reports/STAGE/FILE.json:KEY"),
        ({"columns": {"x": "reports/metrics.json:n"}}, "expected reports/STAGE/FILE.json:KEY"),
        (
            {"columns": {"x": "reports/composed/metrics.json:n"}},
            "columns: x: reports/composed is the folder of no stage; did you mean compose?",
        ),
        (
            {"columns": {"x": "reports/zz/metrics.json:n"}},
            "is the folder of no stage; there are: annotate, compose, evaluate,",
        ),
    ],
)
def test_a_wrong_study_is_refused_in_a_sentence_that_names_file_and_key(tmp_path, changes, said):
    path = written(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        read_study(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_row_runs_at_every_value_over_preset_set_and_settings(tmp_path):
    path = written(tmp_path)
    runs = planned(read_study(path), path, [{"train": {"batch": 9}}])
    assert [(run.row, run.value, run.recipes) for run in runs] == [
        ("random", 50, ("real", "composite+real")),
        ("random", 100, ("real", "composite+real")),
        ("drawn", 50, ("real", "simulated")),
        ("drawn", 100, ("real", "simulated")),
    ]
    first, last = runs[0].overlay, runs[-1].overlay
    assert first["evaluate"] == {"recipes": ["real", "composite+real"], "baseline": "real"}
    assert first["compose"]["placer"] == "random"
    assert "placer" not in last["compose"]
    assert (first["train"]["steps"], first["train"]["batch"], first["train"]["seeds"]) == (7, 9, [0, 1])
    assert [run.overlay["generate"]["samples"] for run in runs] == [50, 100, 50, 100]
    assert first["generate"]["reencode"] is False  # of the preset, beside the key of the axis


def test_without_axis_and_level_a_row_is_one_run_with_itself_as_baseline():
    (run,) = planned(Study.model_validate({"rows": {"only": {"recipe": "gan"}}}), Path("x.yaml"))
    assert (run.title, run.value, run.recipes) == ("only", None, ("gan",))
    assert run.overlay == {"evaluate": {"recipes": ["gan"], "baseline": "gan"}}


def test_the_upper_bound_as_level_is_no_baseline():
    study = Study.model_validate({"level": "full", "rows": {"only": {"recipe": "gan"}}})
    (run,) = [run for run in planned(study, Path("x.yaml")) if run.row == "only"]
    assert run.overlay == {"evaluate": {"recipes": ["gan", "full"], "baseline": "gan"}}


@pytest.mark.parametrize(
    ("changes", "settings", "said"),
    [
        ({"preset": "smok"}, [], "presets: no preset smok; did you mean smoke?"),
        ({"set": {"trian": {}}}, [], "study.yaml: set.trian is not a known key; did you mean train?"),
        (
            {"rows": {"a": {"recipe": "gan", "set": {"label": {"membrs": 1}}}}},
            [],
            "rows.a.set.label.membrs is not a known key",
        ),
        ({"rows": {"a": {"recipe": "gan", "set": {"seed": -1}}}}, [], "study.yaml: rows.a.set.seed: input should be"),
        ({"rows": {"a": {"recipe": "gan", "set": {"sed": 1}}}}, [], "rows.a.set.sed is not a known key; did you mean"),
        ({"axis": {**GOOD["axis"], "key": "generate.sample"}}, [], "generate.sample is not a known key"),
        ({"axis": {**GOOD["axis"], "values": [0]}}, [], "generate.samples: input should be greater than"),
        ({"set": {"evaluate": {"recipes": ["real"]}}}, [], "evaluate.recipes is not for a study to set"),
        ({"rows": {"a": {"recipe": "gan", "set": {"generate": {"samples": 3}}}}}, [], "both the key of the axis and"),
        ({}, [{"generate": {"samples": 3}}], "--set generate.samples: "),
        ({}, [{"compose": {"placer": "context"}}], "--set compose.placer: "),
        ({}, [{"evaluate": {"baseline": "gan"}}], "--set evaluate.baseline: "),
        ({}, [{"train": {"stepz": 3}}], "--set: train.stepz is not a known key"),
    ],
)
def test_keys_that_no_stage_takes_and_keys_set_twice_are_refused(tmp_path, changes, settings, said):
    path = written(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        planned(read_study(path), path, settings)
    assert said in str(caught.value)


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_project_can_be_planned_and_says_what_it_is(path):
    assert planned(read_study(path), path)
    assert described(path.parent)[path.stem]
