"""All members of the ensemble in one module: batched weights, trained together on their own pixel streams."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOMENTUM = 0.1
EPSILON = 1e-5
COLUMNS = 256  # features that are converted to float32 together


class BatchedLinear(nn.Module):
    """`members` linear layers at once: (members, B, inputs) -> (members, B, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, outputs, inputs) * (2.0 / inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(members, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias[:, None], x, self.weight.transpose(1, 2))


class BatchedNorm(nn.Module):
    """Batch normalisation of each member over its own pixels."""

    def __init__(self, members: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, channels))
        self.bias = nn.Parameter(torch.zeros(members, channels))
        self.mean: Tensor
        self.var: Tensor
        self.register_buffer("mean", torch.zeros(members, channels))
        self.register_buffer("var", torch.ones(members, channels))

    def affine(self) -> tuple[Tensor, Tensor]:
        """Scale and shift (members, channels) that the layer amounts to in evaluation mode."""
        scale = self.weight * (self.var + EPSILON).rsqrt()
        return scale, self.bias - self.mean * scale

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            scale, shift = self.affine()
            return x * scale[:, None] + shift[:, None]
        var, mean = torch.var_mean(x, dim=1, unbiased=False)
        with torch.no_grad():
            self.mean.lerp_(mean, MOMENTUM)
            self.var.lerp_(var, MOMENTUM)
        normal = (x - mean[:, None]) * (var + EPSILON).rsqrt()[:, None]
        return normal * self.weight[:, None] + self.bias[:, None]


class Ensemble(nn.Module):
    """Linear-ReLU-BN, Linear-ReLU-BN, Linear for every member (DatasetGAN's style interpreter).

    Features are standardised first with the mean and deviation of the training pixels, which folds into layer one.
    """

    def __init__(self, members: int, features: int, hidden: tuple[int, int], outputs: int) -> None:
        super().__init__()
        self.members, self.hidden, self.outputs = members, hidden, outputs
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.first = BatchedLinear(members, features, hidden[0])
        self.first_norm = BatchedNorm(members, hidden[0])
        self.second = BatchedLinear(members, hidden[0], hidden[1])
        self.second_norm = BatchedNorm(members, hidden[1])
        self.last = BatchedLinear(members, hidden[1], outputs)

    def fit_standardisation(self, features: Tensor) -> None:
        """Take centre and spread from training pixels (P, D), float32 or float16."""
        columns = features.shape[1] if features.dtype == torch.float32 else COLUMNS
        parts = features.split(columns, dim=1)
        self.centre.copy_(torch.cat([part.float().mean(dim=0) for part in parts]))
        self.spread.copy_(torch.cat([part.float().std(dim=0) for part in parts]).clamp_min(1e-4))

    def forward(self, x: Tensor, dropout: float = 0.0) -> Tensor:
        """x (members, B, D), raw features -> logits (members, B, outputs)."""
        x = (x - self.centre) / self.spread
        if dropout and self.training:
            x = F.dropout(x, dropout)
        x = self.first_norm(F.relu(self.first(x)))
        x = self.second_norm(F.relu(self.second(x)))
        return self.last(x)

    def member(self, index: int, x: Tensor) -> Tensor:
        """One member alone in evaluation mode: x (B, D) -> (B, outputs); the plain form that tests compare with."""
        weight = self.first.weight[index] / self.spread
        x = F.relu(F.linear(x, weight, self.first.bias[index] - weight @ self.centre))
        x = F.relu(
            F.linear(self._normalise(self.first_norm, index, x), self.second.weight[index], self.second.bias[index])
        )
        x = self._normalise(self.second_norm, index, x)
        return F.linear(x, self.last.weight[index], self.last.bias[index])

    @staticmethod
    def _normalise(norm: BatchedNorm, index: int, x: Tensor) -> Tensor:
        mean, var, weight, bias = (t[index] for t in (norm.mean, norm.var, norm.weight, norm.bias))
        return F.batch_norm(x, mean, var, weight, bias, eps=EPSILON)
