from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRAME_KIND_UNSPECIFIED: _ClassVar[FrameKind]
    HELLO: _ClassVar[FrameKind]
    OPEN: _ClassVar[FrameKind]
    STEP: _ClassVar[FrameKind]
    TOKEN: _ClassVar[FrameKind]
    CLOSE: _ClassVar[FrameKind]
    CLOSED: _ClassVar[FrameKind]
    FAIL: _ClassVar[FrameKind]
    PROGRESS: _ClassVar[FrameKind]
    PING: _ClassVar[FrameKind]
    PONG: _ClassVar[FrameKind]
    DROP: _ClassVar[FrameKind]
    OPENED: _ClassVar[FrameKind]
    QUEUED: _ClassVar[FrameKind]
    RECALL: _ClassVar[FrameKind]
    RECALLED: _ClassVar[FrameKind]

class DataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_TYPE_UNSPECIFIED: _ClassVar[DataType]
    FLOAT32: _ClassVar[DataType]
    FLOAT16: _ClassVar[DataType]
    BFLOAT16: _ClassVar[DataType]
    INT32: _ClassVar[DataType]
    UINT32: _ClassVar[DataType]
    INT64: _ClassVar[DataType]
    UINT8: _ClassVar[DataType]
    BOOL: _ClassVar[DataType]
    INT8: _ClassVar[DataType]
    UINT16: _ClassVar[DataType]
    INT16: _ClassVar[DataType]

class Refusal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSAL_UNSPECIFIED: _ClassVar[Refusal]
    CROWDED: _ClassVar[Refusal]
    PROMPT_EMPTY: _ClassVar[Refusal]
    PROMPT_TOO_LONG: _ClassVar[Refusal]
    PROMPT_UNKNOWN_TOKENS: _ClassVar[Refusal]
    SAMPLING_WRONG: _ClassVar[Refusal]
FRAME_KIND_UNSPECIFIED: FrameKind
HELLO: FrameKind
OPEN: FrameKind
STEP: FrameKind
TOKEN: FrameKind
CLOSE: FrameKind
CLOSED: FrameKind
FAIL: FrameKind
PROGRESS: FrameKind
PING: FrameKind
PONG: FrameKind
DROP: FrameKind
OPENED: FrameKind
QUEUED: FrameKind
RECALL: FrameKind
RECALLED: FrameKind
DATA_TYPE_UNSPECIFIED: DataType
FLOAT32: DataType
FLOAT16: DataType
BFLOAT16: DataType
INT32: DataType
UINT32: DataType
INT64: DataType
UINT8: DataType
BOOL: DataType
INT8: DataType
UINT16: DataType
INT16: DataType
REFUSAL_UNSPECIFIED: Refusal
CROWDED: Refusal
PROMPT_EMPTY: Refusal
PROMPT_TOO_LONG: Refusal
PROMPT_UNKNOWN_TOKENS: Refusal
SAMPLING_WRONG: Refusal

class Tensor(_message.Message):
    __slots__ = ("dtype", "shape", "bits")
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    dtype: DataType
    shape: _containers.RepeatedScalarFieldContainer[int]
    bits: int
    def __init__(self, dtype: _Optional[_Union[DataType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., bits: _Optional[int] = ...) -> None: ...

class StepTiming(_message.Message):
    __slots__ = ("stage", "hop_us", "queue_us", "compute_us", "serialise_us", "kv_bytes")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    HOP_US_FIELD_NUMBER: _ClassVar[int]
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_US_FIELD_NUMBER: _ClassVar[int]
    SERIALISE_US_FIELD_NUMBER: _ClassVar[int]
    KV_BYTES_FIELD_NUMBER: _ClassVar[int]
    stage: int
    hop_us: int
    queue_us: int
    compute_us: int
    serialise_us: int
    kv_bytes: int
    def __init__(self, stage: _Optional[int] = ..., hop_us: _Optional[int] = ..., queue_us: _Optional[int] = ..., compute_us: _Optional[int] = ..., serialise_us: _Optional[int] = ..., kv_bytes: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    def __init__(self, token: _Optional[bytes] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "repetition_context", "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty")
    class LogitBiasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: float
        def __init__(self, key: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    REPETITION_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LOGIT_BIAS_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    TOP_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    repetition_context: int
    seed: int
    logit_bias: _containers.ScalarMap[int, float]
    logprobs: bool
    top_logprobs: int
    presence_penalty: float
    frequency_penalty: float
    def __init__(self, temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., top_k: _Optional[int] = ..., min_p: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., repetition_context: _Optional[int] = ..., seed: _Optional[int] = ..., logit_bias: _Optional[_Mapping[int, float]] = ..., logprobs: _Optional[bool] = ..., top_logprobs: _Optional[int] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("sampling", "max_tokens", "stop_tokens", "reply_to", "speculate", "kept", "kept_tokens", "take_kept", "snapshot", "generated", "resumes", "held_from")
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STOP_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    SPECULATE_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    KEPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TAKE_KEPT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GENERATED_FIELD_NUMBER: _ClassVar[int]
    RESUMES_FIELD_NUMBER: _ClassVar[int]
    HELD_FROM_FIELD_NUMBER: _ClassVar[int]
    sampling: Sampling
    max_tokens: int
    stop_tokens: _containers.RepeatedScalarFieldContainer[int]
    reply_to: str
    speculate: bool
    kept: int
    kept_tokens: int
    take_kept: bool
    snapshot: int
    generated: int
    resumes: int
    held_from: int
    def __init__(self, sampling: _Optional[_Union[Sampling, _Mapping]] = ..., max_tokens: _Optional[int] = ..., stop_tokens: _Optional[_Iterable[int]] = ..., reply_to: _Optional[str] = ..., speculate: _Optional[bool] = ..., kept: _Optional[int] = ..., kept_tokens: _Optional[int] = ..., take_kept: _Optional[bool] = ..., snapshot: _Optional[int] = ..., generated: _Optional[int] = ..., resumes: _Optional[int] = ..., held_from: _Optional[int] = ...) -> None: ...

class TokenLogprob(_message.Message):
    __slots__ = ("token", "logprob")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    token: int
    logprob: float
    def __init__(self, token: _Optional[int] = ..., logprob: _Optional[float] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("token", "finish_reason", "logprob", "top_logprobs")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    TOP_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    token: int
    finish_reason: str
    logprob: TokenLogprob
    top_logprobs: _containers.RepeatedCompositeFieldContainer[TokenLogprob]
    def __init__(self, token: _Optional[int] = ..., finish_reason: _Optional[str] = ..., logprob: _Optional[_Union[TokenLogprob, _Mapping]] = ..., top_logprobs: _Optional[_Iterable[_Union[TokenLogprob, _Mapping]]] = ...) -> None: ...

class Row(_message.Message):
    __slots__ = ("sequence", "position", "tokens", "finish_reason")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    position: int
    tokens: _containers.RepeatedScalarFieldContainer[int]
    finish_reason: str
    def __init__(self, sequence: _Optional[int] = ..., position: _Optional[int] = ..., tokens: _Optional[_Iterable[int]] = ..., finish_reason: _Optional[str] = ...) -> None: ...

class FrameHeader(_message.Message):
    __slots__ = ("kind", "epoch", "sequence", "position", "count", "sample", "sent_ns", "tensors", "timings", "reply_to", "broken", "rows", "keep_tokens", "dropped", "keep_as", "released", "saved", "kept", "held", "unheld", "refusal", "hello", "open", "token", "message", "echo_ns")
    KIND_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    KEEP_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    KEEP_AS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    SAVED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    UNHELD_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ECHO_NS_FIELD_NUMBER: _ClassVar[int]
    kind: FrameKind
    epoch: int
    sequence: int
    position: int
    count: int
    sample: bool
    sent_ns: int
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    timings: _containers.RepeatedCompositeFieldContainer[StepTiming]
    reply_to: str
    broken: bool
    rows: _containers.RepeatedCompositeFieldContainer[Row]
    keep_tokens: int
    dropped: _containers.RepeatedScalarFieldContainer[int]
    keep_as: int
    released: _containers.RepeatedScalarFieldContainer[int]
    saved: _containers.RepeatedScalarFieldContainer[int]
    kept: int
    held: bool
    unheld: bool
    refusal: Refusal
    hello: Hello
    open: Open
    token: Token
    message: str
    echo_ns: int
    def __init__(self, kind: _Optional[_Union[FrameKind, str]] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., position: _Optional[int] = ..., count: _Optional[int] = ..., sample: _Optional[bool] = ..., sent_ns: _Optional[int] = ..., tensors: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ..., timings: _Optional[_Iterable[_Union[StepTiming, _Mapping]]] = ..., reply_to: _Optional[str] = ..., broken: _Optional[bool] = ..., rows: _Optional[_Iterable[_Union[Row, _Mapping]]] = ..., keep_tokens: _Optional[int] = ..., dropped: _Optional[_Iterable[int]] = ..., keep_as: _Optional[int] = ..., released: _Optional[_Iterable[int]] = ..., saved: _Optional[_Iterable[int]] = ..., kept: _Optional[int] = ..., held: _Optional[bool] = ..., unheld: _Optional[bool] = ..., refusal: _Optional[_Union[Refusal, str]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., open: _Optional[_Union[Open, _Mapping]] = ..., token: _Optional[_Union[Token, _Mapping]] = ..., message: _Optional[str] = ..., echo_ns: _Optional[int] = ...) -> None: ...
