import pytest
import torch

from stages.common.device import seeded
from stages.refine.history import History


def of(value: float, count: int) -> torch.Tensor:
    return torch.full((count, 1, 4, 4), value)


def test_half_of_each_batch_comes_from_the_past():
    history = History(capacity=64, generator=seeded(0))
    history.add(of(0.0, 64))
    batch = history.mix(of(1.0, 8))
    assert len(batch) == 16
    assert batch.mean() == 0.5
    assert history.images is not None
    assert history.images.mean() == 8 / 64


def test_the_buffer_fills_to_its_capacity_and_no_further():
    history = History(capacity=10, generator=seeded(0))
    for number in range(3):
        history.add(of(float(number), 4))
        assert len(history) == min(4 * (number + 1), 10)
    history.add(of(9.0, 4))
    assert len(history) == 10
    assert history.images is not None
    assert (history.images[:, 0, 0, 0] == 9.0).sum() == 4


def test_the_buffer_keeps_copies_without_gradients():
    history, images = History(capacity=8, generator=seeded(0)), of(1.0, 8).requires_grad_()
    history.add(images * 1)
    assert history.images is not None
    assert not history.images.requires_grad
    assert not history.mix(images * 2).isnan().any()
    assert not history.images.requires_grad


def test_old_images_fade_slowly():
    history = History(capacity=64, generator=seeded(0))
    history.add(of(0.0, 64))
    for _ in range(8):
        history.mix(of(1.0, 8))
    assert history.images is not None
    # Each of 8 rounds replaces 8 of 64 at random: (7/8)^8 = 0.34 of the old ones are left.
    assert 0.2 < (history.images == 0).float().mean() < 0.5


def test_an_empty_buffer_is_an_error_and_not_silence():
    with pytest.raises(ValueError, match="holds 0 images"):
        History(capacity=8, generator=seeded(0)).mix(of(1.0, 4))


def test_a_restored_buffer_goes_on_alike():
    one, other = (History(capacity=16, generator=seeded(3)) for _ in range(2))
    one.add(torch.rand(16, 1, 2, 2))
    one.mix(torch.rand(2, 1, 2, 2))
    assert one.images is not None
    other.load_state_dict({name: v.clone() for name, v in one.state_dict().items()})
    batch = torch.rand(2, 1, 2, 2)
    assert torch.equal(one.mix(batch), other.mix(batch))
    assert other.images is not None
    assert torch.equal(one.images, other.images)
