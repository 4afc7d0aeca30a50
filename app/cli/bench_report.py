"""A bench's report: the JSON of DESIGN.md section 7, its text, and a page that a person can post. Pure."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import Any

import shardd
from app.cli.bench_runs import Measured, Wanted
from app.cli.output import spread_json, stage_json
from app.core.deployment.deployment import Deployment
from app.core.generation.accounting import account, account_json, conditions, explain
from app.core.snapshot import NodeView
from shardd.host import describe_host, format_bytes
from shardd.stage.timings import percentile, spread


def report_of(measured: Measured, wanted: Wanted, deployment: Deployment, options: Mapping[str, str]) -> dict[str, Any]:
    """Every figure is a median over the runs; "spread" says how far they lie apart."""
    runs, answers = measured.runs, [answer for run in measured.runs for answer in run.answers]
    placed = deployment.placement.stages
    per_stream = median(run.tokens_per_s_per_stream for run in runs)
    prefill = median(run.prefill_tokens_per_s for run in runs)
    figures = {
        "decode_tokens_per_s_per_stream": [run.tokens_per_s_per_stream for run in runs],
        "decode_tokens_per_s_total": [run.total_tokens_per_s for run in runs],
        "prefill_tokens_per_s": [run.prefill_tokens_per_s for run in runs],
        "ttft_ms": [median(run.ttft_ms) for run in runs if run.ttft_ms],
    }
    found = account([[mark.event for mark in answer.marks] for answer in answers], wanted.streams)
    machines = conditions(measured.snapshot.nodes, measured.rested, rested=True)
    stages = [stage_json(stage) for stage in answers[-1].result.stages]
    report: dict[str, Any] = {
        "model": deployment.model,
        "streams": wanted.streams,
        "repetitions": len(runs),
        "prefill": {
            "tokens": wanted.prompt_tokens,
            "tokens_per_s": prefill,
            "ttft_ms": spread_json(spread([ms for run in runs for ms in run.ttft_ms])),
        },
        "decode": {
            "tokens": wanted.max_tokens,
            "tokens_per_s_per_stream": per_stream,
            "tokens_per_s_total": median(run.total_tokens_per_s for run in runs),
            "inter_token_ms": spread_json(spread([gap for run in runs for gap in run.gaps_ms])),
        },
        "load": {
            "seconds": deployment.load_seconds,
            "bytes": deployment.load_bytes,
            "bytes_per_s": deployment.load_bytes / deployment.load_seconds if deployment.load_seconds else None,
        },
        "stages": stages,
    }
    if measured.baselines:
        base_prefill = [wanted.prompt_tokens / each["first_s"] for each in measured.baselines]
        base_decode = [each["decode_tokens_per_s"] or 0.0 for each in measured.baselines]
        report["baseline"] = {
            "prefill_tokens_per_s": median(base_prefill),
            "decode_tokens_per_s": median(base_decode),
        }
        pairs = [
            (
                _over(run.prefill_tokens_per_s, base_prefill[number]),
                _over(run.tokens_per_s_per_stream, base_decode[number]),
            )
            for number, run in enumerate(runs)
        ]
        # Each run against its partner, which had the machine in the same state.
        report["ratio"] = {"prefill": median(pair[0] for pair in pairs), "decode": median(pair[1] for pair in pairs)}
        report["same_tokens"] = all(
            list(run.answers[0].result.token_ids) == base["token_ids"][: len(run.answers[0].result.token_ids)]
            for run, base in zip(runs, measured.baselines, strict=True)
        )
        figures["baseline_decode_tokens_per_s"] = base_decode
        figures["ratio_decode"] = [pair[1] for pair in pairs]
    report["spread"] = {name: _spread_of(values) for name, values in figures.items() if values}
    report["accounting"] = account_json(found, placed)
    report["explanation"] = explain(found, placed, machines)
    return report | {
        "links": _links(stages),
        "machines": [_machine(node) for node in measured.snapshot.nodes if node.name in deployment.placement.nodes],
        "versions": _versions(),
        "options": dict(options),
    }


def report_text(report: dict[str, Any]) -> str:
    decode, prefill, apart = report["decode"], report["prefill"], report["spread"]
    lines = [
        f"{report['model']}, {count_of(len(report['stages']), 'stage')}, {count_of(report['streams'], 'stream')}, "
        f"{_medians(report)}",
        f"  decode   {decode['tokens_per_s_per_stream']:.1f} tokens/s a stream"
        f"{_between(apart['decode_tokens_per_s_per_stream'], '.1f')}, {decode['tokens_per_s_total']:.1f} all"
        f"{_between(apart['decode_tokens_per_s_total'], '.1f')}",
        f"  prefill  {prefill['tokens_per_s']:.0f} tokens/s{_between(apart['prefill_tokens_per_s'], '.0f')}, "
        f"first token after {prefill['ttft_ms']['p50']:.0f} ms{_between(apart['ttft_ms'], '.0f')}",
    ]
    for stage in report["stages"]:
        first, last = stage["layers"]
        compute, hop = stage["compute_ms"]["p50"], stage["hop_ms"]["p50"]
        hop_words = f", hop {hop:.2f} ms" if hop is not None else ""
        lines.append(f"  {stage['node']:<10} layers {first} to {last}: compute {compute or 0:.2f} ms{hop_words}")
    accounting = report["accounting"]
    if accounting:
        kinds = {kind: sum(stage["share"][kind] for stage in accounting["stages"]) for kind in ("compute", "queue")}
        wire = sum(stage["share"]["hop"] + stage["share"]["serialise"] for stage in accounting["stages"])
        lines.append(
            f"  a token: {accounting['observed_ms']['p50'] / accounting['tokens_per_lap']:.2f} ms; compute "
            f"{kinds['compute']:.1%}, queue {kinds['queue']:.1%}, wire {wire:.1%}; stages and lanes account for "
            f"{accounting['accounted']:.1%}"
        )
    if "ratio" in report:
        base, ratio = report["baseline"], report["ratio"]
        lines.append(
            f"  one-process mlx-lm: {base['decode_tokens_per_s']:.1f} tokens/s; ratio {ratio['decode']:.2f}"
            f"{_between(apart['ratio_decode'], '.2f')} (prefill {ratio['prefill']:.2f}), "
            f"same tokens: {'yes' if report['same_tokens'] else 'NO'}"
        )
    if report["explanation"]:
        lines.append(f"  {report['explanation']}")
    return "\n".join(lines)


def to_markdown(report: dict[str, Any]) -> str:
    """A page with node names, chips and figures; no paths, no addresses, no user's name."""
    own = report["versions"]
    lines = [
        f"# shardboard bench: {_cell(report['model'])}",
        "",
        f"{count_of(len(report['stages']), 'stage')}, {count_of(report['streams'], 'stream')}, {_medians(report)}, "
        f"{report['prefill']['tokens']} prompt tokens, {report['decode']['tokens']} tokens each.",
        "",
    ]
    if report["explanation"]:
        lines += [f"**{report['explanation']}**", ""]
    lines += ["## Figures", ""]
    lines += _table(("figure", "median", "least", "most"), [_figure_row(report, *each) for each in _FIGURES])
    if "ratio" in report:
        same = "the same tokens" if report["same_tokens"] else "DIFFERENT tokens"
        lines += [f"One-process mlx-lm ran in turn with it, on the controller's machine, and gave {same}.", ""]
    lines += ["## Placement", ""]
    lines += _table(
        ("stage", "node", "layers", "weights", "KV", "compute p50 / p95 ms", "queue p50 / p95 ms"),
        [
            (
                str(number),
                stage["node"],
                f"{stage['layers'][0]} to {stage['layers'][1]}",
                format_bytes(stage["weights_bytes"]),
                format_bytes(stage["kv_bytes"]),
                _pair(stage["compute_ms"]),
                _pair(stage["queue_ms"]),
            )
            for number, stage in enumerate(report["stages"], 1)
        ],
    )
    if report["links"]:
        lines += ["## Links", ""]
        lines += _table(
            ("from", "to", "hop p50 / p95 ms"),
            [(link["from"], link["to"], _pair(link["hop_ms"])) for link in report["links"]],
        )
    if report["accounting"]:
        lines += ["## Where a token's time goes", "", *_accounting_lines(report)]
    lines += ["## Machines", ""]
    lines += _table(
        ("node", "chip", "system", "memory", "round trip ms", "python", "mlx", "mlx-lm", "shardd"),
        [
            (
                each["node"],
                each["chip"],
                each["os"],
                format_bytes(each["memory_bytes"]) if each["memory_bytes"] else "–",
                "–" if each["round_trip_ms"] is None else f"{each['round_trip_ms']:.1f}",
                *(each["versions"].get(name, "") or "–" for name in ("python", "mlx", "mlx-lm", "shardd")),
            )
            for each in report["machines"]
        ],
    )
    lines += [
        f"Controller: shardboard {own['shardboard']}, python {own['python']}, mlx {own['mlx']}, "
        f"mlx-lm {own['mlx-lm']}, {own['os']}, {own['chip']}.",
        "",
        "Options: `"
        + " ".join(["shardboard bench", *(f"{k} {v}".strip() for k, v in report["options"].items())])
        + "`",
        "",
    ]
    return "\n".join(lines)


# Words, the figure's name under "spread", and how it is written.
_FIGURES = (
    ("decode, tokens/s a stream", "decode_tokens_per_s_per_stream", ".1f"),
    ("decode, tokens/s all", "decode_tokens_per_s_total", ".1f"),
    ("prefill, tokens/s", "prefill_tokens_per_s", ".0f"),
    ("first token, ms", "ttft_ms", ".1f"),
    ("one-process mlx-lm, tokens/s", "baseline_decode_tokens_per_s", ".1f"),
    ("ratio to it", "ratio_decode", ".2f"),
)


def _figure_row(report: dict[str, Any], words: str, name: str, form: str) -> tuple[str, ...]:
    apart = report["spread"].get(name)
    if apart is None:
        return ()
    return (words, *(f"{apart[key]:{form}}" for key in ("median", "min", "max")))


def _accounting_lines(report: dict[str, Any]) -> list[str]:
    found = report["accounting"]
    rows = [
        (
            f"{stage['stage'] + 1} on {stage['node']}",
            *(f"{stage['ms'][kind]:.2f} ({stage['share'][kind]:.1%})" for kind in _KIND_ORDER),
        )
        for stage in found["stages"]
    ]
    return [
        *_table(("stage", "hop into it, ms", "queue, ms", "compute, ms", "packing, ms"), rows),
        f"The stages' own figures account for {found['accounted']:.1%} of the time between tokens "
        f"(p50 {found['observed_ms']['p50']:.2f} ms, p95 {found['observed_ms']['p95']:.2f} ms; "
        f"{found['tokens_per_lap']:.2f} tokens a lap).",
        "",
    ]


_KIND_ORDER = ("hop", "queue", "compute", "serialise")


def _links(stages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lane into each stage, in order; the head's comes from the tail."""
    if len(stages) < 2:
        return []
    return [
        {"from": stages[number - 1]["node"], "to": stage["node"], "hop_ms": stage["hop_ms"]}
        for number, stage in enumerate(stages)
    ]


def _machine(node: NodeView) -> dict[str, Any]:
    return {
        "node": node.name,
        "chip": node.chip,
        "os": node.os,
        "memory_bytes": node.memory.total if node.memory else None,
        "round_trip_ms": node.round_trip_ms,
        "versions": dict(node.versions),
    }


def _versions() -> dict[str, str]:
    """Of the controller."""
    host = describe_host("controller")  # the name that its owner gave it is not wanted
    return {
        "shardboard": shardd.__version__,
        "python": platform.python_version(),
        "mlx": version("mlx"),
        "mlx-lm": version("mlx-lm"),
        "os": host.os,
        "chip": host.chip,
    }


def _spread_of(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": median(values),
        "min": min(values),
        "p25": percentile(values, 0.25),
        "p75": percentile(values, 0.75),
        "max": max(values),
    }


def _over(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else 0.0


def _between(apart: dict[str, float], form: str) -> str:
    low, high = f"{apart['min']:{form}}", f"{apart['max']:{form}}"
    return "" if low == high else f" ({low} to {high})"


def _medians(report: dict[str, Any]) -> str:
    count = report["repetitions"]
    return "one run" if count == 1 else f"medians of {count} runs (least to most)"


def count_of(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _pair(both: dict[str, float | None]) -> str:
    return "–" if both["p50"] is None else f"{both['p50']:.2f} / {both['p95']:.2f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with an empty line after it. Rows without cells are left out."""
    lines = [columns, ["---"] * len(columns), *(row for row in rows if row)]
    return [*("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines), ""]


def _cell(text: str) -> str:
    """Names come from other machines: nothing of them may end a cell or a line."""
    return " ".join(text.split()).replace("|", "\\|")
