"""Factored against plain label generator: same labels, how much faster, how much less memory.

    python benchmarks/label_generator.py                     # StyleGAN2 config-f channels, 256x256, ten members
    python benchmarks/label_generator.py --device cuda

Both forms run in one process, in turn; the memory of each is measured in a process of its own, as the growth of the
resident set to its peak (CPU) or of the peak allocation (GPU) over the state with feature maps and weights in memory.
"""

import json
import statistics
import subprocess
import sys
import threading
import time
from typing import Annotated

import psutil
import torch
import typer

from stages.label.ensemble import Ensemble
from stages.label.factored import factored_bands, fold
from stages.label.plain import plain_logits
from stages.pretrain.generator import channels_at


def build(
    side: int, members: int, hidden: tuple[int, int], classes: int, device: str
) -> tuple[Ensemble, list[torch.Tensor]]:
    """An ensemble with random weights and normalisations, and random maps of config-f channels."""
    torch.manual_seed(0)
    widths = [channels_at(level, 32768, 512) for level in range((side // 4).bit_length())]
    maps = [torch.randn(1, w, 4 << i, 4 << i, device=device) for i, w in enumerate(widths) for _ in range(2)]
    ensemble = Ensemble(members, sum(m.shape[1] for m in maps), hidden, classes)
    for norm in (ensemble.first_norm, ensemble.second_norm):
        norm.mean.normal_(0.5, 0.1)
        norm.var.uniform_(0.5, 2)
    return ensemble.eval().to(device), maps


def run(form: str, ensemble: Ensemble, maps: list[torch.Tensor], side: int) -> torch.Tensor:
    """Logits (members, side, side, classes)."""
    if form == "plain":
        return plain_logits(ensemble, maps, (side, side))[:, 0]
    return torch.cat([part for _, part in factored_bands(fold(ensemble), [m[0] for m in maps], (side, side))], dim=1)


def seconds(form: str, ensemble: Ensemble, maps: list[torch.Tensor], side: int) -> float:
    """Wall time of one image."""
    started = time.perf_counter()
    run(form, ensemble, maps, side)
    if maps[0].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


def extra_megabytes(form: str, side: int, members: int, device: str) -> float:
    """Peak memory beyond what is there before the call, of a fresh process."""
    call = [sys.executable, __file__, "--memory-of", form, "--side", str(side), "--members", str(members)]
    return float(
        json.loads(subprocess.run([*call, "--device", device], capture_output=True, text=True, check=True).stdout)
    )


def measure_memory(form: str, ensemble: Ensemble, maps: list[torch.Tensor], side: int) -> float:
    """Growth of the peak in this process, MB."""
    if maps[0].is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(form, ensemble, maps, side)
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    process, peak, done = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(form, ensemble, maps, side)
    done.set()
    watcher.join()
    return (peak[0] - before) / 1e6


def main(
    side: Annotated[int, typer.Option(help="Width and height of the output, a power of two.")] = 256,
    members: Annotated[int, typer.Option(help="Members of the ensemble.")] = 10,
    repeats: Annotated[int, typer.Option(help="Timed runs of each form; the median counts.")] = 3,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    memory_of: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print times, memory, and whether labels and logits agree."""
    ensemble, maps = build(side, members, (128, 32), 20, device)
    if memory_of:
        print(measure_memory(memory_of, ensemble, maps, side))
        return
    plain, factored = (run(form, ensemble, maps, side) for form in ("plain", "factored"))
    gap, size = float((plain - factored).abs().max()), float(plain.abs().mean())
    other = int((plain.argmax(-1) != factored.argmax(-1)).sum())
    print(f"largest difference of logits {gap:.1e}, their mean size {size:.2f}")
    print(f"pixels with another label {other} of {plain[..., 0].numel()}")
    del plain, factored
    times = {
        form: statistics.median(seconds(form, ensemble, maps, side) for _ in range(repeats))
        for form in ("plain", "factored")
    }
    memory = {form: extra_megabytes(form, side, members, device) for form in times}
    for form in times:
        print(f"{form:9s} {times[form]:8.3f} s an image   {memory[form]:8.0f} MB extra")
    speed, share = times["plain"] / times["factored"], memory["factored"] / memory["plain"]
    print(f"factored is {speed:.1f} times as fast with {share:.3f} of the memory")


if __name__ == "__main__":
    typer.run(main)
