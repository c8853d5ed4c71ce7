import numpy as np
import pytest
import torch

from stages.common.tensors import ImageBank
from stages.refine.measure import watch_labels
from stages.refine.params import ShiftParams, TwoSampleParams
from stages.refine.refining import Refined
from stages.refine.segmenter import label_shift, train_segmenter
from stages.refine.two_sample import distinguish, interval

CPU = torch.device("cpu")


def squares(count: int, seed: int, shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright 6 x 6 squares on black, and their masks of class 1, unmoved."""
    random = np.random.default_rng(seed)
    images, masks = np.zeros((count, 24, 24, 1), np.uint8), np.zeros((count, 24, 24), np.uint8)
    for i, (row, column) in enumerate(random.integers(4, 12, (count, 2))):
        images[i, row : row + 6, column + shift : column + shift + 6] = 255
        masks[i, row : row + 6, column : column + 6] = 1
    return images, masks


@pytest.fixture(scope="module")
def segmenter():
    images, masks = squares(200, 0)
    params = ShiftParams(width=8, steps=120)
    return train_segmenter(ImageBank(images, CPU), torch.from_numpy(masks), 2, [], params, seed=0)


def test_a_moved_label_is_measured_in_pixels(segmenter):
    before, after = (ImageBank(squares(32, 1, shift)[0], CPU)[slice(0, 32)] for shift in (0, 3))
    iou, pixels = label_shift(segmenter, before, after)
    assert pixels.mean() == pytest.approx(3, abs=0.3)
    assert iou.mean() == pytest.approx(1 / 3, abs=0.07)  # 3 of 9 columns are shared


def test_a_new_look_is_no_shift(segmenter):
    before = ImageBank(squares(32, 1)[0], CPU)[slice(0, 32)]
    darker = before * 0.7 + 0.1 * torch.randn(before.shape, generator=torch.Generator().manual_seed(0))
    iou, pixels = label_shift(segmenter, before, darker.clamp(-1, 1))
    assert iou.mean() > 0.85
    assert pixels.mean() < 0.3


def test_images_of_one_kind_are_not_told_apart_and_others_are():
    random = np.random.default_rng(0)
    grey, other = (random.integers(0, 256, (400, 16, 16, 1), dtype=np.uint8) for _ in range(2))
    smooth = ((other.astype(int) + np.roll(other, 1, axis=2)) // 2).astype(np.uint8)
    params = TwoSampleParams(images=400, width=8, steps=100)
    same = distinguish(ImageBank(grey, CPU), ImageBank(other, CPU), params, 0)
    different = distinguish(ImageBank(grey, CPU), ImageBank(smooth, CPU), params, 0)
    assert same.images == different.images == 400
    assert same.low < 0.5 < same.high
    assert different.low > 0.9


def test_the_interval_is_exact():
    found = interval(8, 10)  # Clopper and Pearson's own table: 0.444 to 0.975
    assert (found.accuracy, round(found.low, 3), round(found.high, 3)) == (0.8, 0.444, 0.975)


def test_without_masks_the_labels_are_not_watched(capsys):
    images, _ = squares(4, 0)
    bank = ImageBank(images, CPU)
    segmenter, found = watch_labels(bank, None, Refined(bank, bank, None), 2, [], ShiftParams(), 0)
    assert segmenter is None
    assert found == {}
    assert "have no masks" in capsys.readouterr().out
