import json
from dataclasses import replace

import numpy as np
import pytest
from evaluate_builders import GAZE, MIOU, made_findings, scored
from test_evaluate_predict import half_inked, saved_target, trial

from stages.common.errors import UserError
from stages.common.recipes import compared_recipes
from stages.common.spec import IGNORE
from stages.evaluate.cards import summary
from stages.evaluate.folds import chosen, find_checkpoints, fold_metrics, folds_of, score_folds
from stages.evaluate.html import render
from stages.evaluate.params import EvaluateParams


def test_folds_are_whole_groups_of_about_the_same_size():
    groups = [f"person{number % 23}" for number in range(100)]
    folds = folds_of(groups, 5)
    assert sorted(set(folds)) == [0, 1, 2, 3, 4]
    assert all(len(set(folds[np.array(groups) == name])) == 1 for name in set(groups))
    assert np.bincount(folds).max() - np.bincount(folds).min() <= 5  # a person has at most five images
    assert folds.tolist() == folds_of(groups, 5).tolist()
    assert folds_of(["a", "b", "c"], 3).tolist() != [0, 0, 0]


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match=r"evaluate\.folds: 5 folds, but the test images are of 2 groups; lower it"):
        folds_of(["a", "b", "a", "b", "a", "b"], 5)


def test_the_best_on_a_fold_is_scored_on_the_others_worked_by_hand():
    def rows(*values):
        return [[{"miou": value} for value in row] for row in values]

    on_fold = rows([0.5, 0.9], [0.7, 0.2], [0.7, 0.3])
    elsewhere = rows([0.1, 0.2], [0.3, 0.4], [0.5, 0.6])
    # Fold 0 chooses the second checkpoint, the first of two equals; fold 1 the first.
    assert chosen(on_fold, elsewhere, MIOU) == [{"miou": 0.3}, {"miou": 0.2}]
    errors = [[{"gaze_deg": row["miou"]} for row in rows_] for rows_ in on_fold]
    found = chosen(errors, errors, GAZE)
    assert found == [{"gaze_deg": 0.5}, {"gaze_deg": 0.2}]


def folded(count: int = 4):
    """Images a, a, b, b: the first two half inked, the others not at all."""
    test = half_inked(count)
    test.masks[2:] = 0
    return replace(trial(), test=replace(test, index=test.index.assign(group=["a", "a", "b", "b"])))


def test_checkpoints_are_chosen_on_a_fold_and_scored_elsewhere(tmp_path):
    for seed in (0, 1):
        for step, favourite in ((10, 0), (20, 1)):
            saved_target(tmp_path / f"real/checkpoints/seed-{seed}-step-{step:06d}.safetensors", favourite)
    found = score_folds(tmp_path, [scored("real", [0.5, 0.6])], folded(), 2)[0]
    # On b, which shows no ink, the one that never sees any is best, and is a quarter right on a (0.5 and 0). On a both
    # are a quarter right, the first is taken, and all right on b.
    assert sorted(found.values["target/miou"]) == pytest.approx([0.25, 0.25, 1.0, 1.0])
    assert found.best().mean == pytest.approx(0.625)
    metrics = fold_metrics([found], 2)
    assert metrics["count"] == 2
    written = metrics["recipes"]["real"]["target/miou"]
    assert written["mean"] == pytest.approx(0.625)
    assert written["std"] == pytest.approx(np.std([0.25, 0.25, 1, 1], ddof=1))
    assert [len(row) for row in written["seeds"]] == [2, 2]
    json.dumps(metrics)


def test_a_fold_without_anything_to_score_is_said(tmp_path):
    saved_target(tmp_path / "real/checkpoints/seed-0-step-000010.safetensors", 0)
    given = folded()
    given.test.masks[2:] = IGNORE
    with pytest.raises(UserError, match=r"^params\.yaml: evaluate\.folds: of a fold of the test images, .*; lower it$"):
        score_folds(tmp_path, [scored("real", [0.5])], given, 2)


def test_without_checkpoints_it_says_what_to_do(tmp_path):
    saved_target(tmp_path / "real/seed-0.safetensors", 0)
    with pytest.raises(UserError, match=r"evaluate\.folds: .*checkpoints holds no checkpoints; set train\.checkpoints"):
        score_folds(tmp_path, [scored("real", [0.5])], folded(), 2)


def test_checkpoints_come_by_seed_in_the_order_of_their_steps(tmp_path):
    folder = tmp_path / "gan/checkpoints"
    folder.mkdir(parents=True)
    for name in ("seed-1-step-000020", "seed-0-step-000100", "seed-0-step-000020", "seed-0"):
        (folder / f"{name}.safetensors").touch()
    found = find_checkpoints(tmp_path, "gan")
    assert {seed: [path.stem for path in paths] for seed, paths in found.items()} == {
        0: ["seed-0-step-000020", "seed-0-step-000100"],
        1: ["seed-1-step-000020"],
    }


def test_folds_without_checkpoints_end_the_first_stage(tmp_path):
    path = tmp_path / "params.yaml"
    for train in ("", "train: {steps: 3}\n", "train: {checkpoints: 0}\n"):
        path.write_text(f"evaluate: {{folds: 5}}\n{train}")
        with pytest.raises(UserError, match=r"evaluate\.folds chooses among checkpoints; set train\.checkpoints"):
            compared_recipes(path)
    path.write_text("evaluate: {folds: 5}\ntrain: {checkpoints: 10}\n")
    compared_recipes(path)


def test_one_fold_is_refused():
    with pytest.raises(ValueError, match="one fold leaves no images to score on"):
        EvaluateParams(folds=1)


def test_report_and_summary_tell_of_folds_when_there_are_any(tmp_path):
    # Of three seeds two have checkpoints: four values are two folds of them, not one of three.
    scores = [scored("real", [0.5, 0.55, 0.6]), scored("gan", [0.7, 0.75, 0.8])]
    folds = [scored("real", [0.41, 0.43, 0.45, 0.47]), scored("gan", [0.61, 0.63, 0.65, 0.67])]
    text = summary(made_findings(tmp_path, scores, folds=folds, fold_count=2))
    assert "| recipe | mIoU over 2 folds |\n|---|---:|\n| real | 0.440 ± 0.026 |\n| gan | 0.640 ± 0.026 |\n" in text
    page = render(made_findings(tmp_path, scores, folds=folds, fold_count=2), {})
    assert "cut into 2 folds" in page
    assert "0.640 ± 0.026" in page
    for plain in (summary(made_findings(tmp_path, scores)), render(made_findings(tmp_path, scores), {})):
        assert "folds" not in plain
