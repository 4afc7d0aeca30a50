from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StageState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_STATE_UNSPECIFIED: _ClassVar[StageState]
    STAGE_STATE_LOADING: _ClassVar[StageState]
    STAGE_STATE_READY: _ClassVar[StageState]
    STAGE_STATE_FAILED: _ClassVar[StageState]
    STAGE_STATE_UNLOADED: _ClassVar[StageState]
STAGE_STATE_UNSPECIFIED: StageState
STAGE_STATE_LOADING: StageState
STAGE_STATE_READY: StageState
STAGE_STATE_FAILED: StageState
STAGE_STATE_UNLOADED: StageState

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Versions(_message.Message):
    __slots__ = ("shardd", "protocol", "mlx", "mlx_lm", "python")
    SHARDD_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    MLX_FIELD_NUMBER: _ClassVar[int]
    MLX_LM_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    shardd: str
    protocol: str
    mlx: str
    mlx_lm: str
    python: str
    def __init__(self, shardd: _Optional[str] = ..., protocol: _Optional[str] = ..., mlx: _Optional[str] = ..., mlx_lm: _Optional[str] = ..., python: _Optional[str] = ...) -> None: ...

class Description(_message.Message):
    __slots__ = ("name", "fingerprint", "chip", "os", "memory_total", "memory_limit", "cores", "addresses", "versions", "caller_follows")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CHIP_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOTAL_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    CORES_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    CALLER_FOLLOWS_FIELD_NUMBER: _ClassVar[int]
    name: str
    fingerprint: str
    chip: str
    os: str
    memory_total: int
    memory_limit: int
    cores: int
    addresses: _containers.RepeatedScalarFieldContainer[str]
    versions: Versions
    caller_follows: bool
    def __init__(self, name: _Optional[str] = ..., fingerprint: _Optional[str] = ..., chip: _Optional[str] = ..., os: _Optional[str] = ..., memory_total: _Optional[int] = ..., memory_limit: _Optional[int] = ..., cores: _Optional[int] = ..., addresses: _Optional[_Iterable[str]] = ..., versions: _Optional[_Union[Versions, _Mapping]] = ..., caller_follows: _Optional[bool] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("interval_ms",)
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    interval_ms: int
    def __init__(self, interval_ms: _Optional[int] = ...) -> None: ...

class MeasureRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Measurement(_message.Message):
    __slots__ = ("read_bytes_per_s", "flops_per_s")
    READ_BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    FLOPS_PER_S_FIELD_NUMBER: _ClassVar[int]
    read_bytes_per_s: float
    flops_per_s: float
    def __init__(self, read_bytes_per_s: _Optional[float] = ..., flops_per_s: _Optional[float] = ...) -> None: ...

class Memory(_message.Message):
    __slots__ = ("total", "available", "swap_used", "shard_available")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    SWAP_USED_FIELD_NUMBER: _ClassVar[int]
    SHARD_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    total: int
    available: int
    swap_used: int
    shard_available: int
    def __init__(self, total: _Optional[int] = ..., available: _Optional[int] = ..., swap_used: _Optional[int] = ..., shard_available: _Optional[int] = ...) -> None: ...

class Spread(_message.Message):
    __slots__ = ("p50", "p95", "samples")
    P50_FIELD_NUMBER: _ClassVar[int]
    P95_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    p50: float
    p95: float
    samples: int
    def __init__(self, p50: _Optional[float] = ..., p95: _Optional[float] = ..., samples: _Optional[int] = ...) -> None: ...

class StageTelemetry(_message.Message):
    __slots__ = ("stage_id", "weights_bytes", "kv_bytes", "process_bytes", "queue_depth", "sequences", "steps", "compute_ms", "queue_ms", "hop_ms")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    KV_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROCESS_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    HOP_MS_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    weights_bytes: int
    kv_bytes: int
    process_bytes: int
    queue_depth: int
    sequences: int
    steps: int
    compute_ms: Spread
    queue_ms: Spread
    hop_ms: Spread
    def __init__(self, stage_id: _Optional[str] = ..., weights_bytes: _Optional[int] = ..., kv_bytes: _Optional[int] = ..., process_bytes: _Optional[int] = ..., queue_depth: _Optional[int] = ..., sequences: _Optional[int] = ..., steps: _Optional[int] = ..., compute_ms: _Optional[_Union[Spread, _Mapping]] = ..., queue_ms: _Optional[_Union[Spread, _Mapping]] = ..., hop_ms: _Optional[_Union[Spread, _Mapping]] = ...) -> None: ...

class Beat(_message.Message):
    __slots__ = ("number", "memory", "disk_free", "store_bytes", "cpu_percent", "stages", "next_certificate", "fingerprint")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_FIELD_NUMBER: _ClassVar[int]
    STORE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    number: int
    memory: Memory
    disk_free: int
    store_bytes: int
    cpu_percent: float
    stages: _containers.RepeatedCompositeFieldContainer[StageTelemetry]
    next_certificate: bytes
    fingerprint: str
    def __init__(self, number: _Optional[int] = ..., memory: _Optional[_Union[Memory, _Mapping]] = ..., disk_free: _Optional[int] = ..., store_bytes: _Optional[int] = ..., cpu_percent: _Optional[float] = ..., stages: _Optional[_Iterable[_Union[StageTelemetry, _Mapping]]] = ..., next_certificate: _Optional[bytes] = ..., fingerprint: _Optional[str] = ...) -> None: ...

class OfferUnitsRequest(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, digests: _Optional[_Iterable[str]] = ...) -> None: ...

class UnitState(_message.Message):
    __slots__ = ("digest", "have_bytes", "whole")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    HAVE_BYTES_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    digest: str
    have_bytes: int
    whole: bool
    def __init__(self, digest: _Optional[str] = ..., have_bytes: _Optional[int] = ..., whole: _Optional[bool] = ...) -> None: ...

class OfferUnitsReply(_message.Message):
    __slots__ = ("states", "disk_free")
    STATES_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedCompositeFieldContainer[UnitState]
    disk_free: int
    def __init__(self, states: _Optional[_Iterable[_Union[UnitState, _Mapping]]] = ..., disk_free: _Optional[int] = ...) -> None: ...

class UnitPiece(_message.Message):
    __slots__ = ("header", "data")
    class Header(_message.Message):
        __slots__ = ("digest", "bytes", "offset")
        DIGEST_FIELD_NUMBER: _ClassVar[int]
        BYTES_FIELD_NUMBER: _ClassVar[int]
        OFFSET_FIELD_NUMBER: _ClassVar[int]
        digest: str
        bytes: int
        offset: int
        def __init__(self, digest: _Optional[str] = ..., bytes: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: UnitPiece.Header
    data: bytes
    def __init__(self, header: _Optional[_Union[UnitPiece.Header, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class GrantUnitsRequest(_message.Message):
    __slots__ = ("digests", "certificate")
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[str]
    certificate: bytes
    def __init__(self, digests: _Optional[_Iterable[str]] = ..., certificate: _Optional[bytes] = ...) -> None: ...

class UnitGrant(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    def __init__(self, token: _Optional[bytes] = ...) -> None: ...

class FetchUnitsRequest(_message.Message):
    __slots__ = ("addresses", "port", "certificate", "token", "units")
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    port: int
    certificate: bytes
    token: bytes
    units: _containers.RepeatedCompositeFieldContainer[UnitReference]
    def __init__(self, addresses: _Optional[_Iterable[str]] = ..., port: _Optional[int] = ..., certificate: _Optional[bytes] = ..., token: _Optional[bytes] = ..., units: _Optional[_Iterable[_Union[UnitReference, _Mapping]]] = ...) -> None: ...

class FetchProgress(_message.Message):
    __slots__ = ("digest", "done_bytes", "whole", "problem")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    digest: str
    done_bytes: int
    whole: bool
    problem: str
    def __init__(self, digest: _Optional[str] = ..., done_bytes: _Optional[int] = ..., whole: _Optional[bool] = ..., problem: _Optional[str] = ...) -> None: ...

class ServeUnitRequest(_message.Message):
    __slots__ = ("token", "digest", "offset")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    digest: str
    offset: int
    def __init__(self, token: _Optional[bytes] = ..., digest: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class PushUnitReply(_message.Message):
    __slots__ = ("received_bytes",)
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    received_bytes: int
    def __init__(self, received_bytes: _Optional[int] = ...) -> None: ...

class UnitReference(_message.Message):
    __slots__ = ("name", "digest", "bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    bytes: int
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class ShardManifest(_message.Message):
    __slots__ = ("model", "blueprint", "first", "last", "layer_count", "units")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BLUEPRINT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    model: str
    blueprint: str
    first: int
    last: int
    layer_count: int
    units: _containers.RepeatedCompositeFieldContainer[UnitReference]
    def __init__(self, model: _Optional[str] = ..., blueprint: _Optional[str] = ..., first: _Optional[int] = ..., last: _Optional[int] = ..., layer_count: _Optional[int] = ..., units: _Optional[_Iterable[_Union[UnitReference, _Mapping]]] = ...) -> None: ...

class PutShardReply(_message.Message):
    __slots__ = ("shard_id",)
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: str
    def __init__(self, shard_id: _Optional[str] = ...) -> None: ...

class ListShardsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Shard(_message.Message):
    __slots__ = ("shard_id", "model", "first", "last", "layer_count", "bytes", "loaded", "used_at", "kept")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LAYER_COUNT_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    USED_AT_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    shard_id: str
    model: str
    first: int
    last: int
    layer_count: int
    bytes: int
    loaded: bool
    used_at: int
    kept: bool
    def __init__(self, shard_id: _Optional[str] = ..., model: _Optional[str] = ..., first: _Optional[int] = ..., last: _Optional[int] = ..., layer_count: _Optional[int] = ..., bytes: _Optional[int] = ..., loaded: _Optional[bool] = ..., used_at: _Optional[int] = ..., kept: _Optional[bool] = ...) -> None: ...

class KeepShardsRequest(_message.Message):
    __slots__ = ("shard_ids",)
    SHARD_IDS_FIELD_NUMBER: _ClassVar[int]
    shard_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, shard_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class KeepShardsReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListShardsReply(_message.Message):
    __slots__ = ("shards",)
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    shards: _containers.RepeatedCompositeFieldContainer[Shard]
    def __init__(self, shards: _Optional[_Iterable[_Union[Shard, _Mapping]]] = ...) -> None: ...

class DeleteShardRequest(_message.Message):
    __slots__ = ("shard_id",)
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    shard_id: str
    def __init__(self, shard_id: _Optional[str] = ...) -> None: ...

class DeleteShardReply(_message.Message):
    __slots__ = ("freed_bytes",)
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    freed_bytes: int
    def __init__(self, freed_bytes: _Optional[int] = ...) -> None: ...

class LoadStageRequest(_message.Message):
    __slots__ = ("epoch", "shard_id", "stage_index", "stage_count", "context_tokens", "prefill_chunk_tokens", "options", "draft")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    STAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREFILL_CHUNK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    shard_id: str
    stage_index: int
    stage_count: int
    context_tokens: int
    prefill_chunk_tokens: int
    options: PipelineOptions
    draft: DraftModel
    def __init__(self, epoch: _Optional[int] = ..., shard_id: _Optional[str] = ..., stage_index: _Optional[int] = ..., stage_count: _Optional[int] = ..., context_tokens: _Optional[int] = ..., prefill_chunk_tokens: _Optional[int] = ..., options: _Optional[_Union[PipelineOptions, _Mapping]] = ..., draft: _Optional[_Union[DraftModel, _Mapping]] = ...) -> None: ...

class DraftModel(_message.Message):
    __slots__ = ("shard_id", "context_tokens")
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    shard_id: str
    context_tokens: int
    def __init__(self, shard_id: _Optional[str] = ..., context_tokens: _Optional[int] = ...) -> None: ...

class PipelineOptions(_message.Message):
    __slots__ = ("max_batch", "kv_tokens", "speculate", "wire_bits", "layer_delay_ms", "token_delay_ms", "link", "kept_share", "kept_bits", "spill_bytes")
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    KV_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SPECULATE_FIELD_NUMBER: _ClassVar[int]
    WIRE_BITS_FIELD_NUMBER: _ClassVar[int]
    LAYER_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    KEPT_SHARE_FIELD_NUMBER: _ClassVar[int]
    KEPT_BITS_FIELD_NUMBER: _ClassVar[int]
    SPILL_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_batch: int
    kv_tokens: int
    speculate: bool
    wire_bits: int
    layer_delay_ms: float
    token_delay_ms: float
    link: str
    kept_share: float
    kept_bits: int
    spill_bytes: int
    def __init__(self, max_batch: _Optional[int] = ..., kv_tokens: _Optional[int] = ..., speculate: _Optional[bool] = ..., wire_bits: _Optional[int] = ..., layer_delay_ms: _Optional[float] = ..., token_delay_ms: _Optional[float] = ..., link: _Optional[str] = ..., kept_share: _Optional[float] = ..., kept_bits: _Optional[int] = ..., spill_bytes: _Optional[int] = ...) -> None: ...

class LoadProgress(_message.Message):
    __slots__ = ("stage", "done_bytes", "total_bytes")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    done_bytes: int
    total_bytes: int
    def __init__(self, stage: _Optional[_Union[Stage, _Mapping]] = ..., done_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class ConnectStageRequest(_message.Message):
    __slots__ = ("stage_id", "addresses", "port", "outbound_token", "certificate", "max_batch")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    OUTBOUND_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    port: int
    outbound_token: bytes
    certificate: bytes
    max_batch: int
    def __init__(self, stage_id: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ..., port: _Optional[int] = ..., outbound_token: _Optional[bytes] = ..., certificate: _Optional[bytes] = ..., max_batch: _Optional[int] = ...) -> None: ...

class ConnectStageReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GrantLaneRequest(_message.Message):
    __slots__ = ("stage_id", "certificate")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    certificate: bytes
    def __init__(self, stage_id: _Optional[str] = ..., certificate: _Optional[bytes] = ...) -> None: ...

class LaneGrant(_message.Message):
    __slots__ = ("port", "token")
    PORT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    port: int
    token: bytes
    def __init__(self, port: _Optional[int] = ..., token: _Optional[bytes] = ...) -> None: ...

class UnloadStageRequest(_message.Message):
    __slots__ = ("stage_id",)
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    def __init__(self, stage_id: _Optional[str] = ...) -> None: ...

class UnloadStageReply(_message.Message):
    __slots__ = ("freed_bytes",)
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    freed_bytes: int
    def __init__(self, freed_bytes: _Optional[int] = ...) -> None: ...

class RestartStageRequest(_message.Message):
    __slots__ = ("stage_id",)
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    def __init__(self, stage_id: _Optional[str] = ...) -> None: ...

class PlaceStageRequest(_message.Message):
    __slots__ = ("stage_id", "epoch", "stage_index", "stage_count", "kv_tokens")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    STAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    KV_TOKENS_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    epoch: int
    stage_index: int
    stage_count: int
    kv_tokens: int
    def __init__(self, stage_id: _Optional[str] = ..., epoch: _Optional[int] = ..., stage_index: _Optional[int] = ..., stage_count: _Optional[int] = ..., kv_tokens: _Optional[int] = ...) -> None: ...

class PlaceStageReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListStagesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Stage(_message.Message):
    __slots__ = ("stage_id", "epoch", "shard_id", "model", "first", "last", "stage_index", "stage_count", "context_tokens", "state", "cause", "deployed_by", "lane_port", "batchable", "options", "prefill_chunk_tokens", "draft", "apart", "deployed_by_name", "joined", "released", "revision")
    STAGE_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SHARD_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    STAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    STAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYED_BY_FIELD_NUMBER: _ClassVar[int]
    LANE_PORT_FIELD_NUMBER: _ClassVar[int]
    BATCHABLE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PREFILL_CHUNK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    APART_FIELD_NUMBER: _ClassVar[int]
    DEPLOYED_BY_NAME_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    stage_id: str
    epoch: int
    shard_id: str
    model: str
    first: int
    last: int
    stage_index: int
    stage_count: int
    context_tokens: int
    state: StageState
    cause: str
    deployed_by: str
    lane_port: int
    batchable: bool
    options: PipelineOptions
    prefill_chunk_tokens: int
    draft: str
    apart: bool
    deployed_by_name: str
    joined: bool
    released: bool
    revision: int
    def __init__(self, stage_id: _Optional[str] = ..., epoch: _Optional[int] = ..., shard_id: _Optional[str] = ..., model: _Optional[str] = ..., first: _Optional[int] = ..., last: _Optional[int] = ..., stage_index: _Optional[int] = ..., stage_count: _Optional[int] = ..., context_tokens: _Optional[int] = ..., state: _Optional[_Union[StageState, str]] = ..., cause: _Optional[str] = ..., deployed_by: _Optional[str] = ..., lane_port: _Optional[int] = ..., batchable: _Optional[bool] = ..., options: _Optional[_Union[PipelineOptions, _Mapping]] = ..., prefill_chunk_tokens: _Optional[int] = ..., draft: _Optional[str] = ..., apart: _Optional[bool] = ..., deployed_by_name: _Optional[str] = ..., joined: _Optional[bool] = ..., released: _Optional[bool] = ..., revision: _Optional[int] = ...) -> None: ...

class ListStagesReply(_message.Message):
    __slots__ = ("stages", "revision")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    revision: int
    def __init__(self, stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class WatchStagesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StageEvent(_message.Message):
    __slots__ = ("stage", "message")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    message: str
    def __init__(self, stage: _Optional[_Union[Stage, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...
