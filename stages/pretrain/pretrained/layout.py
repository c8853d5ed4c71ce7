"""What a published layout is, and its tensors under our names. Knows no files."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from pydantic import ValidationError
from torch import Tensor

from stages.pretrain.generator import Pair, channels_at
from stages.pretrain.params import NetworkParams
from stages.pretrain.resample import TAPS

START_SIDE = 4
PUBLISHED_MAPPING_RATE = 0.01
GENERATOR = "StyleGAN2 generator with skip connections"


class LayoutError(ValueError):
    """Tensors that are not those of a generator that can be built here: what is wrong, and what to do."""


@dataclass(frozen=True)
class Layout:
    """Where each tensor of a published network goes.

    kind: of network. levels: maps of 4, 8, ... pixels. names: theirs -> ours. unscaled: those of theirs that their
    network does not multiply by 1 / sqrt(fan-in) when it runs, as ours does. filters: how the names of resampling
    filters end; each must be the [1, 3, 3, 1] filter with the sum `filter_sum`, the only one that ours has. optional:
    those of theirs that may be missing.
    """

    kind: str
    levels: int
    mapping_layers: int
    names: dict[str, str]
    filters: str
    filter_sum: float
    unscaled: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    @property
    def size(self) -> Pair:
        """Height and width of the images."""
        side = START_SIDE << (self.levels - 1)
        return side, side


def highest(names: Iterable[str], pattern: str) -> int:
    """The largest number that the pattern's group finds at the start of a name; 0 where it finds none."""
    return max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=0)


def within(theirs: str, ours: str, parts: Mapping[str, str]) -> dict[str, str]:
    """The parts of one of their modules -> those of ours."""
    return {f"{theirs}.{part}": f"{ours}.{own}" for part, own in parts.items()}


def conv_name(number: int) -> str:
    """Our name of styled convolution `number`, counted from the coarsest: one at the start, two a level after it."""
    return f"synthesis.blocks.{(number + 1) // 2}.convs.{(number + 1) % 2 if number else 0}"


def renamed(tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Their tensors under our names, with our scale.

    Raises LayoutError when one is missing, or there is one that our network has no use for: its images would differ.
    """
    if missing := [name for name in layout.names if name not in tensors and name not in layout.optional]:
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise LayoutError(f"lacks the tensor {missing[0]}{others}; save the whole state dict of the network")
    for name, tensor in tensors.items():
        if name.endswith(layout.filters):
            _check_filter(name, tensor, layout.filter_sum)
        elif name not in layout.names:
            raise LayoutError(
                f"has the tensor {name}, which a {layout.kind} has not; only networks of that kind can be taken"
            )
    return {
        ours: tensors[name].float() * (_fan_in(tensors[name]) ** 0.5 if name in layout.unscaled else 1.0)
        for name, ours in layout.names.items()
        if name in tensors
    }


def network_of(ours: Mapping[str, Tensor], layout: Layout) -> tuple[NetworkParams, Pair, int]:
    """The params that build the generator of these tensors, its image size, and the channels of its images.

    Raises LayoutError when the maps are not as wide as some channel base and limit make them.
    """
    widths = [ours[f"synthesis.blocks.{level}.convs.0.bias"].numel() for level in range(layout.levels)]
    base, limit = max(w * (START_SIDE << level) for level, w in enumerate(widths)), max(widths)
    if widths != [channels_at(level, base, limit) for level in range(layout.levels)]:
        raise LayoutError(
            f"has maps of {', '.join(map(str, widths))} channels from 4 pixels up; only widths of a base over the "
            "side, at most a limit, can be built"
        )
    try:
        network = NetworkParams(
            z_dim=ours["mapping.layers.0.weight"].shape[1],
            w_dim=ours[f"mapping.layers.{layout.mapping_layers - 1}.weight"].shape[0],
            mapping_layers=layout.mapping_layers,
            mapping_rate=PUBLISHED_MAPPING_RATE,
            channel_base=base,
            channel_limit=limit,
        )
    except (IndexError, ValidationError) as error:
        raise LayoutError("has shapes that no StyleGAN2 generator has; save it again") from error
    return network, layout.size, ours["synthesis.blocks.0.image_bias"].numel()


def fitted(ours: Mapping[str, Tensor], wanted: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The tensors in the shapes of `wanted`, from which theirs may differ by sides of 1.

    Raises LayoutError naming a tensor with another shape.
    """
    for name, own in layout.names.items():
        if own in ours and _sides(ours[own]) != _sides(wanted[own]):
            found, needed = ("x".join(map(str, t.shape)) or "one number" for t in (ours[own], wanted[own]))
            raise LayoutError(f"{name} has the shape {found}, where this network has {needed}; save it again")
    return {own: tensor.reshape(wanted[own].shape) for own, tensor in ours.items()}


def _sides(tensor: Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]


def _fan_in(weight: Tensor) -> int:
    return math.prod(weight.shape[1:])


def _check_filter(name: str, found: Tensor, total: float) -> None:
    taps = torch.tensor(TAPS) / sum(TAPS)
    expected = torch.outer(taps, taps) * total
    if found.shape != expected.shape or not torch.allclose(found.float(), expected, atol=1e-5):
        raise LayoutError(f"{name} is not the filter [1, 3, 3, 1], the only one that the generator here has")
