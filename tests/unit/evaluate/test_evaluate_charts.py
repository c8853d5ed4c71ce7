import re
import xml.etree.ElementTree as ElementTree

import pytest

from stages.evaluate.charts import _ticks, bars, class_dots, lines, round_above
from stages.evaluate.scores import spread


def attributes(svg: str, tag: str, style: str) -> list[dict[str, str]]:
    return [e.attrib for e in ElementTree.fromstring(svg).iter(tag) if style in e.get("class", "").split()]


def test_the_length_of_a_bar_is_its_share_of_the_axis():
    svg = bars([("real", spread([0.25])), ("gan", spread([0.5]))], "t")
    first, second = (float(a["width"]) for a in attributes(svg, "rect", "bar"))
    assert second == pytest.approx(2 * first, abs=0.15)
    ticks = [float(a["x1"]) for a in attributes(svg, "line", "rule")]
    assert second == pytest.approx((ticks[-1] - ticks[0]) / 2, abs=0.15)


def test_bars_of_an_error_end_at_the_given_value_and_name_the_unit():
    svg = bars([("simulated", spread([9.0])), ("refined", spread([6.0]))], "t", top=10, digits=2, unit="°")
    first, second = (float(a["width"]) for a in attributes(svg, "rect", "bar"))
    assert first == pytest.approx(1.5 * second, abs=0.15)
    ticks = [float(a["x1"]) for a in attributes(svg, "line", "rule")]
    assert first == pytest.approx(0.9 * (ticks[-1] - ticks[0]), abs=0.15)
    assert [e.text for e in ElementTree.fromstring(svg).iter() if e.get("class") == "value"] == ["9.00°", "6.00°"]


@pytest.mark.parametrize(("value", "top"), [(9.1, 10), (10, 10), (10.9, 12), (0.034, 0.035), (0.0, 1.0), (870, 900)])
def test_an_axis_ends_at_a_round_number_above(value, top):
    assert round_above(value) == pytest.approx(top)


def test_whiskers_span_one_deviation_to_each_side_and_one_seed_has_none():
    svg = bars([("real", spread([0.4, 0.6])), ("gan", spread([0.5]))], "t")
    (whisker,) = attributes(svg, "path", "whisker")
    span = re.match(r"M([\d.]+) [\d.]+H([\d.]+)", whisker["d"])
    assert span is not None
    start, end = float(span[1]), float(span[2])
    ticks = [float(a["x1"]) for a in attributes(svg, "line", "rule")]
    assert end - start == pytest.approx(2 * 0.1414 * (ticks[-1] - ticks[0]), abs=0.2)
    assert len(attributes(svg, "circle", "seed")) == 3


def test_a_class_without_a_score_has_no_dot():
    svg = class_dots({"eye": [spread([0.5]), None], "nose": [spread([0.2]), spread([0.3])]}, "t")
    assert len(attributes(svg, "circle", "point")) == 3


def test_values_that_are_not_finite_are_left_out_of_curves():
    svg = lines({"a": [(0, 1.0), (1, float("nan")), (2, 3.0)]}, "t", "steps")
    (curve,) = attributes(svg, "polyline", "curve")
    assert len(curve["points"].split()) == 2
    assert lines({"a": [(0, float("inf"))]}, "t", "steps") == ""


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0, 160_000, [0, 50_000, 100_000, 150_000])]
)
def test_ticks_are_round(low, high, expected):
    assert _ticks(low, high, 5 if high == 1 else 4) == pytest.approx(expected)
