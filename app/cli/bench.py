"""`shardboard bench`: how fast the pipeline is and where its time goes, beside one-process mlx-lm in the same run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from app.cli.bench_files import memory_file, write_memory, write_text, write_tokens
from app.cli.bench_report import report_of, report_text, to_markdown
from app.cli.bench_runs import Wanted, measure
from app.cli.cluster import opened
from app.cli.output import print_json
from app.core.errors import UsageError

PICTURES = (".png", ".svg")


async def bench(options: argparse.Namespace) -> int:
    _check_files(options)
    wanted = Wanted(
        prompt_tokens=options.prompt_tokens,
        max_tokens=options.max_tokens,
        streams=options.streams,
        repeat=options.repeat,
        warm_up=options.warm_up,
        baseline=options.baseline,
    )

    def on_run(number: int) -> None:
        if not options.json:
            print(f"run {number} of {options.repeat}", file=sys.stderr)

    async with opened(options) as controller:
        measured = await measure(controller, wanted, on_run)
        deployment = controller.deployment
        assert deployment is not None
        report = report_of(measured, wanted, deployment, options_shown(options))
    print_json(report) if options.json else print(report_text(report), flush=True)
    # What was measured stands there, whatever becomes of the files.
    if options.csv:
        await asyncio.to_thread(write_tokens, options.csv, measured.runs, deployment.placement.nodes)
        await asyncio.to_thread(write_memory, memory_file(options.csv), measured.memory)
    if options.plot:
        from app.cli.bench_plot import draw  # brings matplotlib

        await asyncio.to_thread(draw, options.plot, measured, report)
    if options.report:
        await asyncio.to_thread(write_text, options.report, to_markdown(report))
    return 0


def options_shown(options: argparse.Namespace) -> dict[str, str]:
    """The options that shape the figures, as they were given. Never a path: a report is there to be posted."""
    shown: dict[str, str] = {}
    for name in (
        "local", "place", "context", "prompt_tokens", "max_tokens", "streams", "repeat", "warm_up", "baseline",
        "max_batch", "prefill_chunk", "no_speculation", "layer_delay_ms", "token_delay_ms", "link",
        "wire_bits", "kept_share", "kept_bits",
    ):  # fmt: skip
        value = getattr(options, name, None)
        if value not in (None, "", False, 0, 0.0):
            shown["--" + name.replace("_", "-")] = "" if value is True else str(value)
    return shown


def _check_files(options: argparse.Namespace) -> None:
    """Before anything is started: a bench of ten minutes must not end at a name that cannot be written."""
    if options.plot and options.plot.suffix.lower() not in PICTURES:
        raise UsageError(f"A picture cannot be written as {options.plot.name}.", "Let its name end in .png or .svg.")
    named = [(name, getattr(options, name)) for name in ("csv", "plot", "report") if getattr(options, name)]
    for name, path in named:
        folder = Path(path).absolute().parent
        if not folder.is_dir():
            raise UsageError(f"--{name}: there is no folder {folder}.", "Make it first, or choose another.")
        if Path(path).is_dir():
            raise UsageError(f"--{name}: {path} is a folder.", "Name a file in it.")
    if options.csv and Path(options.csv).suffix.lower() in PICTURES:
        raise UsageError(f"--csv: {options.csv.name} is the name of a picture.", "Let it end in .csv.")
