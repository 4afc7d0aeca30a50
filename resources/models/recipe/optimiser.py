"""Muon for the matrices inside the layers, AdamW for the embedding and the norms."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_ITERATIONS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315  # the quintic of Muon: pulls all singular values towards 1


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest matrices (roughly) with equal singular values, for a stack of matrices."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.transpose(1, 2)
        x = _A * x + (_B * square + _C * square @ square) @ x
    return x.transpose(1, 2) if tall else x


class Muon:
    """Momentum whose updates are orthogonalised; matrices of one shape are handled as one stack."""

    def __init__(self, matrices: Iterable[nn.Parameter], decay: float) -> None:
        self.decay = decay
        self.groups: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            self.groups.setdefault(matrix.shape, []).append(matrix)
        self.momenta = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}

    @torch.no_grad()
    def step(self, rate: float, momentum: float) -> None:
        for shape, group in self.groups.items():
            gradients = torch.stack([p.grad for p in group if p.grad is not None])
            kept = self.momenta[shape].lerp_(gradients, 1 - momentum)
            updates = orthogonalised(gradients.lerp(kept, momentum))
            scale = rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for parameter, update in zip(group, updates, strict=True):
                parameter.mul_(1 - rate * self.decay).add_(update, alpha=-scale)


class Optimiser:
    """Both together, with one learning rate schedule."""

    def __init__(self, model: nn.Module, matrix_rate: float, other_rate: float, decay: float) -> None:
        inside = {name: p for name, p in model.named_parameters() if p.dim() == 2 and name.startswith("layers.")}
        others = [p for name, p in model.named_parameters() if name not in inside]
        self.model = model
        self.matrix_rate, self.other_rate = matrix_rate, other_rate
        self.muon = Muon(inside.values(), decay)
        self.adam = torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, number: int, scale: float) -> None:
        """One step with the gradients at hand; `scale` is the schedule's factor."""
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.adam.param_groups:
            group["lr"] = self.other_rate * scale
        self.adam.step()
        self.muon.step(self.matrix_rate * scale, min(0.95, 0.85 + number / 1000))
        self.model.zero_grad(set_to_none=True)
