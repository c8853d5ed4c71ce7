"""The training of the synthesizer: its pictures, and how hard its composites are."""

import torch

from stages.common.device import seeded
from stages.common.pictures import save_png, strips
from stages.common.tensors import to_arrays
from stages.common.training_run import TrainingRun
from stages.compose.hardness import hardness
from stages.compose.placers import place_by, place_randomly
from stages.compose.state import ComposeState
from stages.compose.training import Trainer

COLUMNS, DRAWN_STREAM = 12, 79


class Run(TrainingRun[Trainer, ComposeState]):
    """Measures and draws once the warm-up is over: before, the synthesizer has not learned."""

    stage = "compose"
    shown = ("synthesizer/target_loss", "synthesizer/critic", "synthesizer/distance", "hardness/learned")

    @property
    def unseen(self) -> int:
        """The warm-up."""
        return self.trainer.params.warm_up

    def measure(self) -> dict[str, float]:
        """`hardness/<placer>`: loss of the target held fixed."""
        places = {"learned": place_by(self.state.synthesizer), **self.trainer.compared}
        return {f"hardness/{name}": hardness(self.trainer, self.state, place) for name, place in places.items()}

    @torch.no_grad()
    def draw(self) -> None:
        """composites_<step>.png: the same pairs at every step, above placed at random, below by the synthesizer."""
        rows = []
        for place in (place_randomly, place_by(self.state.synthesizer)):
            canvas = self.trainer.composer.compose(place, COLUMNS, seeded(self.trainer.seed, DRAWN_STREAM))
            rows.append(to_arrays(canvas.images))
        scale = max(1, 64 // max(rows[0].shape[1:3]))
        save_png(self.pictures / f"composites_{self.state.step:06d}.png", strips(rows, scale=scale))
