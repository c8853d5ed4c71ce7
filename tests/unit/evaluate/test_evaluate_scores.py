import json

import pytest
from evaluate_builders import GAZE, MIOU, PCK, gaze_scored, pck_scored, scored

from stages.evaluate.scores import (
    choose_seed,
    collect,
    comparison,
    flat,
    metrics,
    more_names,
    part_names,
    spread,
    winner,
)


def test_mean_and_sample_deviation_by_hand():
    found = spread([0.5, 0.7, 0.9])
    assert found is not None
    assert found.mean == pytest.approx(0.7)
    assert found.std == pytest.approx(0.2)  # sqrt((0.04 + 0 + 0.04) / (3 - 1))
    assert found.text() == "0.700 ± 0.200"


def test_one_seed_has_no_deviation():
    found = spread([0.5])
    assert found is not None
    assert found.std is None
    assert found.text(2) == "0.50"
    assert "target/miou_std" not in flat(scored("real", [0.5]))


def test_a_class_that_a_seed_lacks_is_left_out_of_the_mean_and_kept_as_a_gap():
    by_seed = {0: {"miou": 0.5, "iou/eye": 0.4}, 3: {"miou": 0.7}, 4: {"miou": 0.6, "iou/eye": 0.2}}
    found = collect("gan", 9, MIOU, by_seed)
    eye = found.spread("target/iou/eye")
    assert eye is not None
    assert eye.mean == pytest.approx(0.3)
    assert eye.seeds == (0.4, None, 0.2)
    assert found.seeds == (0, 3, 4)


def test_metrics_json_holds_mean_deviation_and_the_value_of_each_seed():
    written = json.loads(json.dumps(metrics([scored("gan", [0.4, 0.6], 1500, eye=[0.1, 0.3])], "segmentation")))
    assert (written["task"], written["metric"]) == ("segmentation", "target/miou")
    assert [written[key] for key in ("title", "unit", "range", "better")] == ["mean IoU", "", "0 to 1", "higher"]
    gan = written["recipes"]["gan"]
    assert gan["samples"] == 1500
    assert gan["target/miou"] == {"mean": 0.5, "std": pytest.approx(0.1414, abs=1e-4), "seeds": [0.4, 0.6]}
    assert gan["target/iou/eye"]["mean"] == pytest.approx(0.2)


def test_comparison_has_the_best_recipe_first_and_whole_sample_counts():
    table = comparison([scored("real", [0.4], 50), scored("gan", [0.6], None, eye=[0.2])])
    assert table["recipe"].tolist() == ["gan", "real"]
    assert list(table.columns) == ["recipe", "samples", "seeds", "score", "score_std", "target/miou", "target/iou/eye"]
    assert table.to_csv(index=False).splitlines()[2].startswith("real,50,1,0.4,,0.4")


def test_classes_keep_the_order_of_the_dataset_and_drop_the_unseen():
    scores = [scored("real", [0.5], mouth=[0.1]), scored("gan", [0.5], background=[0.9])]
    assert part_names(scores, ["background", "eye", "mouth"]) == ["background", "mouth"]


def test_winner_has_the_highest_mean_not_the_best_seed():
    assert winner([scored("real", [0.1, 0.99]), scored("gan", [0.6, 0.6])]).recipe == "gan"


def test_seed_is_chosen_on_the_validation_images_and_is_the_first_without_them():
    assert choose_seed([0, 1, 2], {0: 0.5, 1: 0.8, 2: 0.7}, MIOU) == 1
    assert choose_seed([4, 5], {}, MIOU) == 4
    assert choose_seed([4, 5], {9: 1.0}, MIOU) == 4


def test_of_errors_the_lowest_wins_and_comes_first():
    scores = [gaze_scored("simulated", [9.0, 9.2]), gaze_scored("refined", [6.0, 6.4]), gaze_scored("real", [7.0])]
    assert winner(scores).recipe == "refined"
    table = comparison(scores)
    assert table["recipe"].tolist() == ["refined", "real", "simulated"]
    assert list(table.columns[3:7]) == ["score", "score_std", "target/gaze_deg", "target/gaze_deg_std"]
    assert table["score"].tolist() == pytest.approx([6.2, 7.0, 9.1])
    assert choose_seed([0, 1, 2], {0: 8.0, 1: 6.0, 2: 7.0}, GAZE) == 1


def test_scores_of_gaze_have_a_unit_no_parts_and_one_score_more():
    scores = [gaze_scored("refined", [7.75, 7.87])]
    assert scores[0].text() == "7.81 ± 0.08°"
    assert gaze_scored("real", [7.0]).text() == "7.00°"
    assert part_names(scores, ()) == []
    assert more_names(scores) == ["target/within_7deg"]
    written = metrics(scores, "gaze")
    assert (written["task"], written["metric"]) == ("gaze", "target/gaze_deg")
    assert (written["unit"], written["better"]) == ("°", "lower")


def test_keypoints_are_parts_in_the_order_of_the_target_and_no_further_scores():
    scores = [pck_scored("refined", [0.5], k0=[0.4], k1=[0.5], k10=[0.6])]
    assert part_names(scores, ()) == ["0", "1", "10"]
    assert part_names([collect("real", 1, PCK, {0: {"pck": 0.5}})], ()) == []
    assert more_names(scores) == ["target/distance_px"]
