"""Every number of the recipe in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The model's dimensions."""

    vocabulary: int = 2048
    hidden: int = 128
    feed_forward: int = 256
    layers: int = 12
    heads: int = 4
    kv_heads: int = 2
    positions: int = 2048
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads


@dataclass(frozen=True)
class Phase:
    """A part of the training with rows of one length."""

    steps: int
    row_tokens: int
    rows: int


@dataclass(frozen=True)
class Training:
    """Optimiser, schedule and data."""

    phases: tuple[Phase, ...] = (Phase(2100, 192, 12), Phase(260, 512, 5), Phase(90, 1024, 3))
    matrix_rate: float = 0.02
    other_rate: float = 3e-3
    decay: float = 0.05
    warm_up_steps: int = 20
    flat_share: float = 0.35
    question_weight: float = 0.1
    story_weight: float = 0.5
    seed: int = 2026
    tokenizer_documents: int = 20_000

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)
