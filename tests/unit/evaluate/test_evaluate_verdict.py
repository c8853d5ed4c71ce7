import math

import pytest
from evaluate_builders import scored

from stages.evaluate.verdict import judge


def test_a_clear_win_is_called_one():
    verdict = judge([scored("real", [0.50, 0.52]), scored("gan", [0.70, 0.72])], "real")
    assert verdict.headline == "gan wins: 0.200 mIoU above real, more than the spread over seeds."
    assert verdict.to_baseline is not None
    assert verdict.to_baseline.spread == pytest.approx(math.sqrt(2 * 0.0002))  # both deviations are 0.02 / sqrt(2)
    assert "10.0 times the spread of 0.020" in verdict.details[1]


def test_a_lead_within_the_spread_is_no_win():
    verdict = judge([scored("real", [0.50, 0.60]), scored("gan", [0.51, 0.61])], "real")
    assert verdict.headline == "No clear winner: gan leads real by 0.010 mIoU, within the spread over seeds."
    assert not verdict.clear
    assert "may be luck" in verdict.details[1]


def test_one_seed_proves_nothing():
    verdict = judge([scored("real", [0.5]), scored("gan", [0.9])], "real")
    assert "gan scores highest, 0.400 mIoU above real, but one seed cannot tell this from luck" in verdict.headline
    assert any("train.seeds" in sentence for sentence in verdict.details)


def test_the_baseline_can_win():
    verdict = judge(
        [scored("real", [0.80, 0.81]), scored("gan", [0.50, 0.51]), scored("gan+real", [0.6, 0.61])], "real"
    )
    assert verdict.headline == "The baseline wins: real is 0.200 mIoU above gan+real, the best of the other recipes."
    assert verdict.to_baseline is None


def test_beating_the_baseline_but_not_the_next_recipe():
    verdict = judge(
        [scored("real", [0.50, 0.51]), scored("gan", [0.7, 0.72]), scored("gan+real", [0.70, 0.73])], "real"
    )
    assert verdict.headline.startswith("gan+real beats real by 0.210 mIoU")
    assert verdict.headline.endswith("gan is as good within the spread.")


def test_a_single_recipe_has_nothing_to_be_compared_with():
    verdict = judge([scored("gan", [0.5, 0.7])], "real")
    assert verdict.headline == "Only gan was evaluated (mIoU 0.600 ± 0.141): there is nothing to compare it with."
    assert any("The baseline real was not evaluated" in sentence for sentence in verdict.details)


def test_a_deviation_of_zero_on_both_sides_still_makes_a_sentence():
    verdict = judge([scored("real", [0.5, 0.5]), scored("gan", [0.6, 0.6])], "real")
    assert verdict.clear
    assert "beyond the spread of 0.000" in verdict.details[1]
