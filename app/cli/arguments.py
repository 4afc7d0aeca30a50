"""The options of `generate`, `chat`, `bench` and `deploy`, and how their values are read."""

from __future__ import annotations

import argparse
from pathlib import Path

CSV_HELP = (
    "every token's time in every stage as a table: run (from 1), stream, token (from 0), at_ms (since the bench "
    "began), stage (from 0), node, hop_ms, queue_ms, compute_ms, serialise_ms, kv_bytes; and beside it FILE with "
    ".memory before its ending: at_ms, node, weights_bytes, kv_bytes, others_bytes, free_bytes, swap_used_bytes, "
    "cpu_percent"
)


def add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompt-tokens", type=positive, default=64, metavar="N")
    parser.add_argument("--max-tokens", type=positive, default=64, metavar="N")
    parser.add_argument("--streams", type=positive, default=1, metavar="M", help="answers at the same time")
    parser.add_argument("--repeat", type=positive, default=5, metavar="R", help="runs, of which medians are shown")
    parser.add_argument(
        "--warm-up", type=_zero_or_more, default=8, metavar="N", help="tokens of a first run that does not count"
    )
    parser.add_argument("--baseline", action="store_true", help="also one-process mlx-lm, in turn with ours")
    parser.add_argument("--max-batch", type=positive, default=16, metavar="B", help="streams that may share a step")
    parser.add_argument("--prefill-chunk", type=int, default=0, metavar="N", help="tokens; 0: from what is measured")
    parser.add_argument("--no-speculation", action="store_true", help="propose no tokens")
    parser.add_argument(
        "--layer-delay-ms", type=float, default=0.0, metavar="D", help="each layer waits so long, as for an accelerator"
    )
    parser.add_argument("--token-delay-ms", type=float, default=0.0, metavar="D", help="the same for each token")
    parser.add_argument(
        "--link", default="", metavar="SHAPE", help="lanes behave so: latency=3ms,jitter=1ms,rate=200mbit"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help=CSV_HELP)
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="a picture (.png or .svg): tokens, each stage's time, memory"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="a page in Markdown to post: figures, placement, links, machines"
    )


def add_driving(parser: argparse.ArgumentParser, when: str = "") -> None:
    """How caches are kept for a conversation's next turn, and what travels. when: said before each help."""
    parser.add_argument(
        "--wire-bits",
        type=int,
        choices=(0, 8),
        help=f"{when}8: activations travel in half the bytes or less, for slow links; log-probabilities change "
        "by some thousandths (tests/bench/wire.py), so a text may come out differently",
    )
    parser.add_argument(
        "--kept-share", type=_share, metavar="S", help=f"{when}memory for kept caches, as a share from 0 to 1 of all's"
    )
    parser.add_argument(
        "--kept-bits", type=int, choices=(0, 4, 8), help=f"{when}kept caches rest in 8 or 4 bits; changes answers"
    )
    parser.add_argument(
        "--spill", metavar="SIZE", help=f"{when}kept caches may take this on each machine's disk, and outlive a restart"
    )


def add_prompt(parser: argparse.ArgumentParser, *, file_too: bool = False) -> None:
    """file_too: --prompts FILE in place of -p, and one of them must be there."""
    where = parser.add_mutually_exclusive_group(required=True) if file_too else parser
    where.add_argument("-p", "--prompt", metavar="TEXT", default="")
    if file_too:
        where.add_argument(
            "--prompts",
            type=Path,
            metavar="FILE",
            help="paragraphs with empty lines between them: each is a prompt, all are answered at once; with --json "
            '{"results": […], "total_tokens_per_s"}',
        )
    parser.add_argument("--raw", action="store_true", help="without a chat template")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end the answer before this text")
    add_sampling(parser)


def add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-tokens", type=positive, default=512, metavar="N")
    parser.add_argument("--temp", type=float, default=0.0, metavar="T")
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P")
    parser.add_argument("--top-k", type=int, default=0, metavar="K")
    parser.add_argument("--min-p", type=float, default=0.0, metavar="M")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, metavar="R")
    parser.add_argument("--seed", type=int, metavar="S")
    parser.add_argument("--logit-bias", type=_bias, action="append", default=[], metavar="TOKEN=BIAS")
    parser.add_argument("--logprobs", action="store_true", help="with --json: each token's log-probability")


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return number


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _zero_or_more(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _bias(text: str) -> tuple[int, float]:
    token, _, bias = text.partition("=")
    try:
        return int(token), float(bias)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not TOKEN=BIAS") from None
