"""What is known of a stage: what was asked for, how it stands, and what is left of it when it was unloaded."""

from __future__ import annotations

import time
from dataclasses import dataclass

from shardd.agent.released import ReleasedStage
from shardd.rpc import agent_pb2
from shardd.stage.orders import PipelineOptions, Reading
from shardd.store import ShardManifest


@dataclass(frozen=True, slots=True)
class StageRequest:
    """What a controller asks to be loaded."""

    epoch: int
    shard_id: str
    stage_index: int
    stage_count: int
    context_tokens: int
    prefill_chunk_tokens: int
    options: PipelineOptions
    deployed_by: str  # the controller's fingerprint
    draft_shard_id: str = ""  # of a whole small model for the head
    draft_context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage as it stands."""

    stage_id: str
    request: StageRequest
    manifest: ShardManifest
    state: agent_pb2.StageState
    cause: str = ""
    lane_port: int = 0
    batchable: bool = False
    apart: bool = False  # a lane to a neighbour is gone
    joined: bool = False  # both stand
    reading: Reading | None = None
    draft: str = ""  # name of the model that drafts
    done_bytes: int = 0
    total_bytes: int = 0
    revision: int = 0  # greater than that of every earlier record of this machine


def released_stage(record: StageRecord, away_s: float) -> ReleasedStage:
    """What is noted of a stage that is unloaded now, because its controller was away for so many seconds."""
    request, manifest = record.request, record.manifest
    return ReleasedStage(
        request.deployed_by,
        record.stage_id,
        request.epoch,
        manifest.model,
        manifest.first,
        manifest.last,
        request.stage_index,
        request.stage_count,
        time.time(),
        away_s,
    )
