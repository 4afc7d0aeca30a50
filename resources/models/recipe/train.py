"""Training: a fixed number of steps with a fixed seed."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F

from .data import Rows, Tokens
from .model import Llama
from .optimiser import Optimiser
from .settings import Phase, Shape, Training

_REPORT_EVERY = 50
_SAVE_EVERY = 250
_LAST_SCALE = 0.01


def schedule(step: int, training: Training) -> float:
    """Warm up, stay, then fall in a straight line."""
    done = step / training.steps
    if done < training.flat_share:
        return min(1.0, (step + 1) / training.warm_up_steps)
    return max(_LAST_SCALE, (1 - done) / (1 - training.flat_share))


def planned(training: Training) -> Iterator[Phase]:
    """The phase of each step."""
    for phase in training.phases:
        yield from [phase] * phase.steps


def trained(tokens: Tokens, shape: Shape, training: Training, checkpoint: Path) -> Llama:
    """A trained model; its state is saved at `checkpoint` now and then."""
    torch.manual_seed(training.seed)
    model = Llama(shape)
    optimiser = Optimiser(model, training.matrix_rate, training.other_rate, training.decay)
    rows = Rows(tokens)
    began, average = time.monotonic(), 0.0
    for step, phase in enumerate(planned(training)):
        inputs, targets, weights = rows.batch(phase.rows, phase.row_tokens)
        logits = model(inputs)
        losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        loss = (losses * weights.flatten()).sum() / weights.sum()
        loss.backward()
        optimiser.step(step, schedule(step, training))
        spoken = losses.detach()[weights.flatten() == 1.0].mean().item()
        average = spoken if step == 0 else 0.95 * average + 0.05 * spoken
        if step % _REPORT_EVERY == 0:
            seconds = time.monotonic() - began
            print(f"step {step}/{training.steps}  {seconds:.0f} s  loss of the answers {average:.4f}", flush=True)
        if step % _SAVE_EVERY == _SAVE_EVERY - 1:
            torch.save(model.state_dict(), checkpoint)
    print(f"trained in {time.monotonic() - began:.0f} s, loss of the answers {average:.4f}", flush=True)
    return model
