"""The training of the refiner: its pictures."""

import torch
from torch import Tensor

from stages.common.device import seeded
from stages.common.pictures import save_png, strips
from stages.common.tensors import to_arrays
from stages.common.training_run import TrainingRun
from stages.refine.refining import refined_with_fields
from stages.refine.state import RefineState
from stages.refine.training import Trainer

COLUMNS, DRAWN_STREAM = 12, 62


class Run(TrainingRun[Trainer, RefineState]):
    """Draws once both networks train: before, the refiner copies its input."""

    stage = "refine"
    shown = ("adversarial", "self_reg", "discriminator_real", "discriminator_refined")

    @property
    def unseen(self) -> int:
        """The pre-training of either network."""
        return self.trainer.starts[1]

    @torch.no_grad()
    def draw(self) -> None:
        """refined_<step>.png: the same simulated images at every step, as they were drawn and as they are now."""
        simulated: Tensor = self.trainer.simulated[:COLUMNS]
        refined = refined_with_fields(self.state.average, simulated, seeded(self.trainer.seed, DRAWN_STREAM))[0]
        rows = [to_arrays(simulated), to_arrays(refined)]
        scale = max(1, 64 // max(simulated.shape[2:]))
        save_png(self.pictures / f"refined_{self.state.step:06d}.png", strips(rows, scale=scale))
