"""One network in training: an update of its weights, their moving average, and the choice of those that are kept."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stages.train.params import TrainParams
from stages.train.targets.base import Target

WARM_UP = 0.05


def learning_rate(step: int, params: TrainParams) -> float:
    """Step size of update `step`, counted from 0: linear warm-up, then a cosine that ends at 0."""
    warm = max(round(params.steps * WARM_UP), 1)
    if step < warm:
        return params.learning_rate * (step + 1) / warm
    done = (step - warm) / max(params.steps - warm, 1)
    return params.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def wants_bf16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16: when asked for, or by `auto` on a device that has instructions for it.

    On a CPU with them an update of the default U-Net takes 41 ms instead of 59 (two cores, AVX512-BF16).
    """
    return precision == "bf16" or (precision == "auto" and _computes_bf16(device))


def _computes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # PyTorch before 2.11 cannot tell.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


class Learner:
    """A network, its optimiser and its moving average. The caller seeds torch's global generator first."""

    def __init__(self, target: Target, params: TrainParams, device: torch.device, weights: Tensor | None) -> None:
        self.target, self.params, self.device = target, params, device
        self.class_weights = None if weights is None else weights.to(device)
        self.module = self._placed(target.build())
        self.average = copy.deepcopy(self.module).requires_grad_(False) if params.ema else None
        self.optimiser = torch.optim.AdamW(_groups(self.module, target, params), params.learning_rate, fused=True)
        self.bf16 = wants_bf16(params.precision, device)

    def _placed(self, module: nn.Module) -> nn.Module:
        # channels_last: 57 instead of 64 ms an update of the default U-Net on one CPU core.
        return module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def update(self, step: int, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """One update of the weights; the terms of the loss by name, on the device."""
        self.module.train()
        return self._descend(
            step, self.target.loss_terms(self._forward(self.module, images), labels, self.class_weights)
        )

    def _descend(self, step: int, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Change the weights, then their average, so that the sum of these terms falls."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, self.params) * group["share"]
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        self.optimiser.step()
        if self.average is not None:
            _move_average(self.average, self.module, min(self.params.ema, (1 + step) / (10 + step)))
        return {name: term.detach() for name, term in terms.items()}

    def _forward(self, module: nn.Module, images: Tensor) -> Any:
        images = images.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return module(images)

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Tensor:
        """Predictions, on the CPU, of the weights that would be kept now."""
        return self.target.predict(self._forward(self.kept.eval(), images)).cpu()

    @property
    def kept(self) -> nn.Module:
        """The network whose weights are validated and kept: the moving average, where there is one."""
        return self.average if self.average is not None else self.module

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights that would be kept now, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.kept.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that an update changes."""
        average = None if self.average is None else self.average.state_dict()
        return {"module": self.module.state_dict(), "optimiser": self.optimiser.state_dict(), "average": average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of `state_dict`."""
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _groups(module: nn.Module, target: Target, params: TrainParams) -> list[dict[str, Any]]:
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weights in module.named_parameters():
        decay = params.weight_decay if weights.ndim > 1 else 0.0
        found.setdefault((target.rate_share(name), decay), []).append(weights)
    return [{"params": found[key], "share": key[0], "weight_decay": key[1]} for key in sorted(found, reverse=True)]


@torch.no_grad()
def _move_average(average: nn.Module, module: nn.Module, decay: float) -> None:
    for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
    for kept, latest in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(latest)
