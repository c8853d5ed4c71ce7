import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.spec import DatasetSpec
from stages.prepare.params import GlyphParams, PrepareParams
from stages.prepare.records import Source
from stages.prepare.simulators import simulated_source, simulator_of
from stages.prepare.simulators.glyphs import FONTS, draw_glyph, middle_line, printed, thinned
from stages.prepare.sources.digits import CLASSES

DIGITS = Source(DatasetSpec(name="digits", size=(32, 32), channels=1, classes=CLASSES), [])


def test_every_font_has_every_digit():
    # A font that lacks one draws a box with a letter instead, the same for all.
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    for font in FONTS:
        table = FT2Font(f"{get_data_path()}/fonts/ttf/{font}.ttf").get_charmap()
        assert {ord(str(digit)) for digit in range(10)} <= set(table), font
        shapes = {printed(font, digit).tobytes() for digit in range(10)}
        assert len(shapes) == 10, font


def test_an_image_is_a_function_of_seed_and_number():
    one, other = (draw_glyph(13, 4, (32, 32), GlyphParams()) for _ in range(2))
    assert (one.image == other.image).all()
    assert one.digit == 3
    assert (one.image != draw_glyph(13, 5, (32, 32), GlyphParams()).image).any()
    assert (one.image != draw_glyph(23, 4, (32, 32), GlyphParams()).image).any()


def test_the_middle_of_a_bar_is_a_line():
    bar = np.zeros((20, 9), bool)
    bar[2:18, 2:7] = True
    line = thinned(bar)
    assert line.sum(axis=1).max() == 1
    assert set(np.nonzero(line)[1]) == {4}
    assert 10 <= line.sum() <= 16


def test_thinning_keeps_the_holes_of_an_eight():
    from scipy.ndimage import label

    _, regions = label(~thinned(printed("DejaVuSans", 8)))
    assert regions == 3


def test_a_middle_line_is_one_high_and_centred():
    for digit in range(10):
        points = middle_line("cmr10", digit)
        assert np.ptp(points[:, 1]) == pytest.approx(1)
        assert abs(points.max(0) + points.min(0)).max() == pytest.approx(0, abs=1e-9)


def test_the_ink_has_the_height_that_was_asked_for():
    params = GlyphParams(height=(0.6, 0.6), stroke=(0.1, 0.1), slant=(0, 0), rotate=0, stretch=0, shift=0)
    for number in range(20):
        rows = np.nonzero(draw_glyph(number, 0, (64, 64), params).image.max(1) >= 128)[0]
        assert np.ptp(rows) + 1 == pytest.approx(0.6 * 64, abs=1.5)


def test_the_params_choose_the_simulator():
    assert simulator_of(PrepareParams()) == "glyphs"
    assert simulator_of(PrepareParams(source="folder")) == "none"
    assert simulated_source(PrepareParams(simulator="none"), DIGITS, 0).records == []
    records = simulated_source(PrepareParams(simulated=12), DIGITS, 0).records
    pixels = records[7].read()
    assert len(records) == 12
    assert pixels.image.shape == (32, 32, 1)
    assert pixels.mask is not None
    assert set(np.unique(pixels.mask)) == {0, 8}
    assert ((pixels.mask > 0) == (pixels.image[:, :, 0] >= 128)).all()


def test_digits_are_not_drawn_for_other_classes():
    faces = Source(DatasetSpec(name="faces", size=(64, 64), channels=3, classes=("background", "skin")), [])
    with pytest.raises(UserError, match=r"prepare\.simulator: glyphs draws grey digits"):
        simulated_source(PrepareParams(simulator="glyphs"), faces, 0)
    with pytest.raises(UserError, match=r"prepare\.simulated: null"):
        simulated_source(PrepareParams(simulated=None), DIGITS, 0)
