import json

import pytest
from evaluate_builders import scored

from stages.evaluate.scores import choose_seed, class_names, collect, comparison, flat, metrics, spread, winner


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
    found = collect("gan", 9, {0: {"miou": 0.5, "iou/eye": 0.4}, 3: {"miou": 0.7}, 4: {"miou": 0.6, "iou/eye": 0.2}})
    eye = found.spread("target/iou/eye")
    assert eye is not None
    assert eye.mean == pytest.approx(0.3)
    assert eye.seeds == (0.4, None, 0.2)
    assert found.seeds == (0, 3, 4)


def test_metrics_json_holds_mean_deviation_and_the_value_of_each_seed():
    written = json.loads(json.dumps(metrics([scored("gan", [0.4, 0.6], 1500, eye=[0.1, 0.3])])))
    assert (written["task"], written["metric"]) == ("segmentation", "target/miou")
    gan = written["recipes"]["gan"]
    assert gan["samples"] == 1500
    assert gan["target/miou"] == {"mean": 0.5, "std": pytest.approx(0.1414, abs=1e-4), "seeds": [0.4, 0.6]}
    assert gan["target/iou/eye"]["mean"] == pytest.approx(0.2)


def test_comparison_has_the_best_recipe_first_and_whole_sample_counts():
    table = comparison([scored("real", [0.4], 50), scored("gan", [0.6], None, eye=[0.2])])
    assert table["recipe"].tolist() == ["gan", "real"]
    assert list(table.columns) == ["recipe", "samples", "seeds", "target/miou", "target/iou/eye"]
    assert table.to_csv(index=False).splitlines()[2].startswith("real,50,1,0.4")


def test_classes_keep_the_order_of_the_dataset_and_drop_the_unseen():
    scores = [scored("real", [0.5], mouth=[0.1]), scored("gan", [0.5], background=[0.9])]
    assert class_names(scores, ["background", "eye", "mouth"]) == ["background", "mouth"]


def test_winner_has_the_highest_mean_not_the_best_seed():
    assert winner([scored("real", [0.1, 0.99]), scored("gan", [0.6, 0.6])]).recipe == "gan"


def test_seed_is_chosen_on_the_validation_images_and_is_the_first_without_them():
    assert choose_seed([0, 1, 2], {0: 0.5, 1: 0.8, 2: 0.7}) == 1
    assert choose_seed([4, 5], {}) == 4
    assert choose_seed([4, 5], {9: 1.0}) == 4
