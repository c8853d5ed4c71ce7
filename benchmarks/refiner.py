"""Steps per second of the refiner's training against a plain port of the published networks and algorithm.

    python benchmarks/refiner.py                     # 35x55 grey eyes, the published networks, batch 32
    python benchmarks/refiner.py --device cuda --batch 512

Both train in one process, in turn, on the same images with the published loss, history and SGD, one update of the
refiner and one of the discriminator a step. The last lines say what the step is made of and what bounds it.
"""

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.tensors import ImageBank
from stages.refine.params import RefineParams
from stages.refine.state import new_state
from stages.refine.training import Trainer

SIZE = (35, 55)


class PlainBlock(nn.Module):
    """A residual block as the article words it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


def plain_refiner() -> nn.Module:
    """The eyes' refiner: 3x3 to 64, four blocks, 1x1 to grey."""
    blocks = [PlainBlock(64) for _ in range(4)]
    return nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), *blocks, nn.Conv2d(64, 1, 1), nn.Tanh())


def plain_discriminator() -> nn.Module:
    """The eyes' local discriminator."""
    return nn.Sequential(
        nn.Conv2d(1, 96, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(96, 64, 3, 2, 1),
        nn.ReLU(),
        nn.MaxPool2d(3, 1, 1),
        nn.Conv2d(64, 32, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 1),
        nn.ReLU(),
        nn.Conv2d(32, 2, 1),
    )


class PlainPort:
    """The algorithm line by line: each pile of images goes through the discriminator on its own."""

    def __init__(self, simulated: np.ndarray, real: np.ndarray, params: RefineParams, device: torch.device) -> None:
        self.params, self.device = params, device
        self.simulated, self.real = (
            torch.from_numpy(pile).permute(0, 3, 1, 2).float() / 127.5 - 1 for pile in (simulated, real)
        )
        self.refiner, self.discriminator = plain_refiner().to(device), plain_discriminator().to(device)
        self.steps = [
            torch.optim.SGD(net.parameters(), params.optimiser.learning_rate)
            for net in (self.refiner, self.discriminator)
        ]
        with torch.no_grad():
            self.buffer = self.refiner(self._draw(self.simulated, params.history.capacity))

    def step(self) -> None:
        """One update of the refiner, one of the discriminator."""
        x = self._draw(self.simulated, self.params.batch)
        refined = self.refiner(x)
        weight = self.params.self_regularisation * 126 / x[0].numel()
        loss = self._cross_entropy(refined, 0) + weight * (refined - x).abs().sum()
        self._update(0, loss / len(x))
        half = self.params.batch // 2
        with torch.no_grad():
            refined = self.refiner(self._draw(self.simulated, self.params.batch))
        past = self.buffer[torch.randperm(len(self.buffer))[:half]]
        fakes = torch.cat([refined[:half], past])
        reals = self._draw(self.real, self.params.batch)
        self._update(1, (self._cross_entropy(fakes, 1) + self._cross_entropy(reals, 0)) / len(reals))
        self.buffer[torch.randperm(len(self.buffer))[:half]] = refined[:half]

    def _update(self, which: int, loss: Tensor) -> None:
        for step in self.steps:
            step.zero_grad()
        loss.backward()
        self.steps[which].step()

    def _cross_entropy(self, images: Tensor, label: int) -> Tensor:
        scores = self.discriminator(images)
        labels = torch.full((len(scores), *scores.shape[2:]), label, device=self.device)
        return F.cross_entropy(scores, labels, reduction="sum")

    def _draw(self, pile: Tensor, count: int) -> Tensor:
        return pile[torch.randint(len(pile), (count,))].to(self.device)


def seconds(step: Callable[[], object], count: int, device: torch.device) -> float:
    """Wall time of a step, mean over `count`."""
    started = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / count


def multiplications(batch: int) -> float:
    """Multiply-adds of a step: the refiner forward and backward, half of it again, the discriminator on all of it."""
    pixels = SIZE[0] * SIZE[1]
    refiner = pixels * (9 * 64 + 8 * 9 * 64 * 64 + 64)
    quarter, eighth = 18 * 28, 9 * 14
    discriminator = quarter * 9 * 96 + eighth * (9 * 96 * 64 + 9 * 64 * 32 + 32 * 32 + 64)
    return batch * (3.5 * refiner + (2 + 6) * discriminator)


def matmul_speed(device: torch.device) -> float:
    """Multiply-adds a second of a large product: what the machine can do."""
    one = torch.randn(2048, 2048, device=device)
    times = [seconds(lambda: one @ one, 3, device) for _ in range(3)]
    return 2048**3 / min(times)


def main(
    batch: Annotated[int, typer.Option(help="Images in an update.")] = 32,
    count: Annotated[int, typer.Option(help="Steps in a measurement.")] = 5,
    repeats: Annotated[int, typer.Option(help="Measurements of each; the medians are compared.")] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Print both speeds, their ratio, and the bound."""
    place = torch.device(device)
    random = np.random.default_rng(0)
    simulated, real = (random.integers(0, 256, (1000, *SIZE, 1), np.uint8) for _ in range(2))
    alone = {"refiner": 0, "discriminator": 0}
    params = RefineParams.model_validate(
        {"batch": batch, "refiner_steps": 1, "steps": 10**6, "pretraining": alone, "history": {"capacity": 10 * batch}}
    )
    trainer = Trainer(ImageBank(simulated, place), ImageBank(real, place), params, 0)
    state, plain = new_state(params, 1, 0, place), PlainPort(simulated, real, params, place)
    steps: dict[str, Callable[[], object]] = {"handful": lambda: trainer.train_step(state), "plain": plain.step}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        seconds(step, 2, place)
    for _ in range(repeats):
        for name, step in steps.items():
            times[name].append(seconds(step, count, place))
    ours, theirs = (statistics.median(times[name]) for name in ("handful", "plain"))
    print(f"batch {batch}, {SIZE[0]}x{SIZE[1]}, {torch.get_num_threads()} threads, {device}")
    print(f"handful: {1 / ours:.2f} steps/s; plain port: {1 / theirs:.2f} steps/s; ratio {theirs / ours:.2f}")
    done, possible = multiplications(batch) / ours, matmul_speed(place)
    print(f"bound: {done / 1e9:.1f} G multiply-adds/s in the step, {possible / 1e9:.1f} in a 2048x2048 product")


if __name__ == "__main__":
    typer.run(main)
