import math

import pytest
from evaluate_builders import gaze_scored, scored

from stages.evaluate.verdict import judge


def test_a_clear_win_is_called_one():
    verdict = judge([scored("real", [0.50, 0.52]), scored("gan", [0.70, 0.72])], "real", 1000)
    assert verdict.headline == "gan wins: 0.200 mIoU above real, beyond the 95 % margin of 0.061 over seeds."
    assert verdict.to_baseline is not None
    # Both deviations are 0.02 / sqrt(2), so two degrees of freedom: t = 4.303, the error sqrt(2 * 0.0002 / 2).
    assert verdict.to_baseline.margin == pytest.approx(4.3027 * math.sqrt(0.0002), rel=1e-4)
    assert verdict.details[1].endswith("0.200 less, beyond the 95 % margin of 0.061 over seeds.")


def test_a_lead_of_one_deviation_with_two_seeds_is_luck():
    verdict = judge([scored("real", [0.53, 0.55]), scored("gan", [0.56, 0.58])], "real", 1000)
    assert verdict.headline.startswith("No clear winner")


def test_few_test_images_are_said():
    found = judge([scored("real", [0.5, 0.52]), scored("gan", [0.7, 0.72])], "real", 10)
    assert any(sentence.startswith("Only 10 test images") for sentence in found.details)
    many = judge([scored("real", [0.5, 0.52]), scored("gan", [0.7, 0.72])], "real", 50)
    assert not any("test images" in sentence for sentence in many.details)


def test_a_lead_within_the_spread_is_no_win():
    verdict = judge([scored("real", [0.50, 0.60]), scored("gan", [0.51, 0.61])], "real", 1000)
    assert (
        verdict.headline == "No clear winner: gan leads real by 0.010 mIoU, within the 95 % margin of 0.304 over seeds."
    )
    assert not verdict.clear
    assert "may be luck" in verdict.details[1]


def test_one_seed_proves_nothing():
    verdict = judge([scored("real", [0.5]), scored("gan", [0.9])], "real", 1000)
    assert "gan scores highest, 0.400 mIoU above real, but one seed cannot tell this from luck" in verdict.headline
    assert any("train.seeds" in sentence for sentence in verdict.details)


def test_the_baseline_can_win():
    verdict = judge(
        [scored("real", [0.80, 0.81]), scored("gan", [0.50, 0.51]), scored("gan+real", [0.6, 0.61])], "real", 1000
    )
    assert verdict.headline == "The baseline wins: real is 0.200 mIoU above gan+real, the best of the other recipes."
    assert verdict.to_baseline is None


def test_beating_the_baseline_but_not_the_next_recipe():
    verdict = judge(
        [scored("real", [0.50, 0.51]), scored("gan", [0.7, 0.72]), scored("gan+real", [0.70, 0.73])], "real", 1000
    )
    assert verdict.headline.startswith("gan+real beats real by 0.210 mIoU")
    assert verdict.headline.endswith("it is not clearly better than gan.")


def test_a_single_recipe_has_nothing_to_be_compared_with():
    verdict = judge([scored("gan", [0.5, 0.7])], "real", 1000)
    assert verdict.headline == "Only gan was evaluated (mIoU 0.600 ± 0.141): there is nothing to compare it with."
    assert any("The baseline real was not evaluated" in sentence for sentence in verdict.details)


def test_a_deviation_of_zero_on_both_sides_still_makes_a_sentence():
    verdict = judge([scored("real", [0.5, 0.5]), scored("gan", [0.6, 0.6])], "real", 1000)
    assert verdict.clear
    assert "beyond the 95 % margin of 0.000" in verdict.details[1]


def test_a_lower_error_wins_clearly():
    verdict = judge([gaze_scored("simulated", [6.60, 6.70]), gaze_scored("refined", [4.50, 4.54])], "simulated", 1000)
    assert verdict.headline == (
        "refined wins: its gaze error is 2.13° below that of simulated (0.68 of it), beyond the 95 % margin of 0.40° "
        "over seeds."
    )
    assert verdict.details == (
        "refined reaches a mean angle between true and found gaze of 4.52 ± 0.03° over 2 seeds, trained on 50 samples.",
        "simulated reaches 6.65 ± 0.07°, 2.13° more (refined has 0.68 of it), beyond the 95 % margin of 0.40° over "
        "seeds.",
    )
    lead = verdict.to_baseline
    assert lead is not None
    assert (lead.value, lead.difference, lead.ratio) == pytest.approx((2.13, -2.13, 4.52 / 6.65))
    assert lead.clear


def test_a_lower_error_within_the_spread_is_no_win():
    verdict = judge([gaze_scored("simulated", [6.0, 7.0]), gaze_scored("refined", [5.9, 6.9])], "simulated", 1000)
    assert verdict.headline == (
        "No clear winner: the gaze error of refined is 0.10° below that of simulated (0.98 of it), within the 95 % "
        "margin of 3.04° over seeds."
    )
    assert "may be luck" in verdict.details[1]


def test_one_seed_of_an_error_proves_nothing():
    verdict = judge([gaze_scored("simulated", [8.0]), gaze_scored("refined", [6.0])], "simulated", 1000)
    assert verdict.headline == (
        "refined has the lowest gaze error, 2.00° below that of simulated (0.75 of it), but one seed cannot tell this "
        "from luck."
    )
    assert verdict.details[1] == (
        "simulated reaches 8.00°, 2.00° more (refined has 0.75 of it); with one seed the margin is unknown."
    )


def test_the_baseline_can_have_the_lowest_error():
    verdict = judge([gaze_scored("simulated", [4.0, 4.1]), gaze_scored("refined", [8.1, 8.1])], "simulated", 1000)
    assert verdict.headline == (
        "The baseline wins: the gaze error of simulated is 4.05° below that of refined (0.50 of it), the best of the "
        "other recipes."
    )


def test_a_lower_error_than_the_baseline_but_not_than_the_next():
    scores = [gaze_scored("simulated", [8.0, 8.1]), gaze_scored("refined", [4.0, 4.2]), gaze_scored("real", [4.1, 4.2])]
    assert judge(scores, "simulated", 1000).headline == (
        "refined beats simulated: its gaze error is 3.95° lower (0.51 of it), beyond the 95 % margin of 0.69° over "
        "seeds; it is not clearly better than real."
    )


def test_a_single_recipe_names_its_error_with_the_unit():
    headline = judge([gaze_scored("refined", [4.0, 4.2])], "simulated", 1000).headline
    assert headline == "Only refined was evaluated (gaze error 4.10 ± 0.14°): there is nothing to compare it with."


def test_no_share_of_an_error_of_zero_is_told():
    verdict = judge([gaze_scored("simulated", [0.0, 0.0]), gaze_scored("refined", [0.0, 0.0])], "real", 1000)
    assert " of it" not in verdict.headline + " ".join(verdict.details)


def test_the_upper_bound_is_told_of_but_does_not_win():
    scores = [scored("full", [0.90, 0.92], 4000), scored("real", [0.50, 0.52]), scored("gan", [0.70, 0.72])]
    verdict = judge(scores, "real", 1000)
    assert verdict.winner == "gan"
    assert verdict.to_next is not None
    assert verdict.to_next.rival == "real"
    told = [sentence for sentence in verdict.details if "upper bound" in sentence]
    assert told == [
        "full, the upper bound, trained on 4,000 labelled images, reaches 0.910 ± 0.014: 0.200 mIoU ahead of gan."
    ]
    assert judge([scored("full", [0.9, 0.92])], "real", 1000).winner == "full"


def test_a_baseline_that_is_the_upper_bound_is_not_said_to_be_missing():
    verdict = judge([scored("real", [0.5, 0.52]), scored("full", [0.7, 0.72])], "full", 1000)
    assert verdict.winner == "real"
    assert not any("was not evaluated" in sentence for sentence in verdict.details)
