"""Make the built-in model: text, tokenizer, training, export, evaluation.

    sh resources/models/recipe/make OUT [--threads 2] [--share 1.0] [--no-evaluation]

About half an hour on two cores. The seeds and the number of steps are fixed.
"""

import argparse
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from . import tokenizer as bpe
from .corpus import conversations
from .data import encoded
from .export import export
from .settings import Phase, Shape, Training
from .train import trained

_SPARE = 1.25  # rows leave out some tokens at their ends


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    shape, training = Shape(), shortened(Training(), options.share)
    options.out.mkdir(parents=True, exist_ok=True)

    first = islice(conversations(training.seed), training.tokenizer_documents)
    tokenizer = bpe.trained(first, shape.vocabulary)
    wanted = int(_SPARE * sum(phase.steps * phase.rows * phase.row_tokens for phase in training.phases))
    tokens = encoded(conversations(training.seed), tokenizer, wanted, training)
    print(f"{len(tokens.starts)} documents, {len(tokens.ids)} tokens", flush=True)

    checkpoint = options.out / "checkpoint.pt"
    model = trained(tokens, shape, training, checkpoint)
    export(model, tokenizer, shape, options.out)
    checkpoint.unlink(missing_ok=True)
    if options.evaluation:
        from .evaluate import evaluate  # needs MLX, which training does not

        evaluate(options.out)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the built-in model.")
    parser.add_argument("out", type=Path, help="folder for the model")
    parser.add_argument("--threads", type=int, default=2, help="threads for the training")
    parser.add_argument("--share", type=float, default=1.0, help="part of the training steps, for a trial")
    parser.add_argument("--no-evaluation", dest="evaluation", action="store_false", help="leave the evaluation out")
    return parser.parse_args()


def shortened(training: Training, share: float) -> Training:
    """The same training with only a part of its steps."""
    phases = tuple(Phase(max(1, round(p.steps * share)), p.row_tokens, p.rows) for p in training.phases)
    return replace(training, phases=phases)


if __name__ == "__main__":
    main()
