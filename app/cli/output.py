"""What the commands print: the JSON forms of DESIGN.md section 7, and their sentences. Pure but for print_json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.core.deployment.push import Transfer
from app.core.generation.request import GenerationResult, StageReport
from app.core.snapshot import NodeView, Snapshot
from shardd.host import format_bytes

Pair = tuple[float, float]


def print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False), flush=True)


def generation_json(result: GenerationResult) -> dict[str, Any]:
    document: dict[str, Any] = {
        "text": result.text,
        "token_ids": list(result.token_ids),
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "reused_tokens": result.reused_tokens,
        "laps": result.laps,
        "finish_reason": result.finish_reason,
        "ttft_ms": result.ttft_ms,
        "prefill_tokens_per_s": result.prefill_tokens_per_s,
        "decode_tokens_per_s": result.decode_tokens_per_s,
        "stages": [stage_json(stage) for stage in result.stages],
        "events": [
            {"at_ms": event.at_ms, "kind": event.kind, "node": event.node, "message": event.message}
            | ({"parts_ms": dict(event.parts_ms)} if event.parts_ms else {})
            | ({"replayed_tokens": list(event.replayed_tokens)} if event.replayed_tokens else {})
            for event in result.events
        ],
    }
    if result.logprobs:
        document["logprobs"] = list(result.logprobs)
    return document


def stage_json(stage: StageReport) -> dict[str, Any]:
    return {
        "node": stage.node,
        "layers": [stage.first, stage.last],
        "weights_bytes": stage.weights_bytes,
        "kv_bytes": stage.kv_bytes,
        "compute_ms": spread_json(stage.compute_ms),
        "queue_ms": spread_json(stage.queue_ms),
        "hop_ms": spread_json(stage.hop_ms),
    }


def spread_json(pair: Pair | None) -> dict[str, float | None]:
    """Null where nothing was measured."""
    return {"p50": pair[0], "p95": pair[1]} if pair else {"p50": None, "p95": None}


def summary(result: GenerationResult) -> str:
    """One line under an answer: only what was measured."""
    parts = [
        f"{result.decode_tokens_per_s:.1f} tok/s" if result.decode_tokens_per_s else "",
        f"first token {result.ttft_ms:.0f} ms" if result.ttft_ms is not None else "",
        f"{result.completion_tokens} tokens",
        f"{len(result.stages)} stages" if len(result.stages) != 1 else "1 stage",
    ]
    return " · ".join(part for part in parts if part)


def node_json(node: NodeView) -> dict[str, Any]:
    memory, stage = node.memory, node.stage
    return {
        "name": node.name,
        "address": node.address,
        "state": node.state.name.lower(),
        "state_text": node.state_text,
        "chip": node.chip,
        "os": node.os,
        "fingerprint": node.fingerprint,
        "versions": dict(node.versions),
        "memory": {
            "total": memory.total,
            "weights": memory.weights,
            "kv": memory.kv,
            "others": memory.others,
            "free": memory.free,
        }
        if memory
        else None,
        "disk_free": node.disk_free,
        "round_trip_ms": node.round_trip_ms,
        "stage": {
            "layers": [stage.first, stage.last],
            "index": stage.index,
            "count": stage.count,
            "state": stage.state,
            "cause": stage.cause,
            "weights_bytes": stage.weights_bytes,
            "kv_bytes": stage.kv_bytes,
            "sequences": stage.sequences,
        }
        if stage
        else None,
        "shards": [
            {"model": shard.model, "layers": [shard.first, shard.last], "bytes": shard.bytes, "loaded": shard.loaded}
            for shard in node.shards
        ],
    }


def nodes_text(nodes: Sequence[NodeView]) -> str:
    if not nodes:
        return "No machine is known yet. Add one with: shardboard pair ADDRESS, or use --local 3."
    return "\n".join(_node_line(node) for node in nodes)


def _node_line(node: NodeView) -> str:
    memory = f"{format_bytes(node.memory.free)} of {format_bytes(node.memory.total)} free" if node.memory else ""
    held = f"layers {node.stage.first} to {node.stage.last} {node.stage.state}" if node.stage else ""
    words = [f"{node.name:<16}", f"{node.address:<22}", node.state.value, memory, held]
    if node.state.name != "READY":
        words.append(node.state_text)
    return "  ".join(word for word in words if word)


def transfer_json(transfers: Sequence[Transfer]) -> dict[str, Any]:
    """What a deployment moved, in all and for each node."""
    keys = ("units", "already_bytes", "sent_bytes", "fetched_bytes", "retries")
    return {
        "transfer": {key: sum(getattr(each, key) for each in transfers) for key in keys}
        | {"seconds": max((each.seconds for each in transfers), default=0.0)},
        "transfers": [asdict(each) for each in transfers],
    }


def transfer_text(transfers: Sequence[Transfer]) -> str:
    return "\n".join(
        f"  {each.node:<16} {format_bytes(each.already_bytes)} were there, {format_bytes(each.sent_bytes)} sent, "
        f"{format_bytes(each.fetched_bytes)} from other machines"
        for each in transfers
    )


def status_json(snapshot: Snapshot) -> dict[str, Any]:
    deployment = snapshot.deployment
    placement = deployment.placement
    return {
        "deployment": {
            "model": deployment.model,
            "state": deployment.state.name.lower(),
            "text": deployment.text,
            "context_tokens": deployment.context_tokens,
            "stages": [{"node": s.node, "layers": [s.first, s.last]} for s in placement.stages] if placement else [],
        }
        if placement
        else None,
        "nodes": [node_json(node) for node in snapshot.nodes],
    }
