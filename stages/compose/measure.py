"""What a trained synthesizer is worth, in numbers."""

import torch

from stages.common.device import seeded
from stages.compose.hardness import hardness
from stages.compose.pasting import Objects
from stages.compose.placement import varied
from stages.compose.placers import place_in_turn
from stages.compose.state import ComposeState
from stages.compose.training import Trainer

DRAWS, PAIRS, SPREAD_STREAM = 8, 64, 80


def final_metrics(trainer: Trainer, state: ComposeState) -> dict[str, float]:
    """`compose/hardness_<placer>`: loss of the target held fixed. `compose/spread`: deviation of the placements of one
    pair over draws of synthesizer and noise, each parameter in [-1, 1]; evenly drawn ones have about 0.57."""
    places = {"learned": place_in_turn(state.snapshots), **trainer.compared}
    found = {f"compose/hardness_{name}": hardness(trainer, state, place) for name, place in places.items()}
    return found | {"compose/spread": spread(trainer, state)}


@torch.no_grad()
def spread(trainer: Trainer, state: ComposeState) -> float:
    """Mean deviation of a placement over draws of synthesizer and noise, of pairs that stay the same."""
    pairs: list[tuple[torch.Tensor, Objects]] = []
    place = place_in_turn(state.snapshots)

    def noted(backgrounds: torch.Tensor, objects: Objects, generator: torch.Generator) -> torch.Tensor:
        pairs.append((backgrounds, objects))
        return place(backgrounds, objects, generator)

    trainer.composer.compose(noted, PAIRS, seeded(trainer.seed, SPREAD_STREAM))
    draws = [place(*pairs[-1], seeded(trainer.seed, SPREAD_STREAM, n)) for n in range(DRAWS)]
    moving = varied(trainer.params.placement)
    return float(torch.stack(draws)[:, :, moving].std(dim=0).mean()) if moving.any() else 0.0
