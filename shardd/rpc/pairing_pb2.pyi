from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PairingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAIRING_STATE_UNSPECIFIED: _ClassVar[PairingState]
    PAIRING_STATE_OPEN: _ClassVar[PairingState]
    PAIRING_STATE_USED_UP: _ClassVar[PairingState]
    PAIRING_STATE_EXPIRED: _ClassVar[PairingState]
    PAIRING_STATE_PAIRED: _ClassVar[PairingState]
PAIRING_STATE_UNSPECIFIED: PairingState
PAIRING_STATE_OPEN: PairingState
PAIRING_STATE_USED_UP: PairingState
PAIRING_STATE_EXPIRED: PairingState
PAIRING_STATE_PAIRED: PairingState

class UnpairRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnpairReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AnnounceCertificateRequest(_message.Message):
    __slots__ = ("certificate",)
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    certificate: bytes
    def __init__(self, certificate: _Optional[bytes] = ...) -> None: ...

class AnnounceCertificateReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplaceCertificateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReplaceCertificateReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ConfirmCertificateRequest(_message.Message):
    __slots__ = ("fingerprint",)
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    def __init__(self, fingerprint: _Optional[str] = ...) -> None: ...

class ConfirmCertificateReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PairingHello(_message.Message):
    __slots__ = ("name", "version", "protocol", "state", "tries_left", "nonce")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TRIES_LEFT_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    protocol: str
    state: PairingState
    tries_left: int
    nonce: bytes
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., protocol: _Optional[str] = ..., state: _Optional[_Union[PairingState, str]] = ..., tries_left: _Optional[int] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class PairingBegin(_message.Message):
    __slots__ = ("name", "certificate", "element")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    certificate: bytes
    element: bytes
    def __init__(self, name: _Optional[str] = ..., certificate: _Optional[bytes] = ..., element: _Optional[bytes] = ...) -> None: ...

class PairingElement(_message.Message):
    __slots__ = ("element",)
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    element: bytes
    def __init__(self, element: _Optional[bytes] = ...) -> None: ...

class PairingProof(_message.Message):
    __slots__ = ("proof",)
    PROOF_FIELD_NUMBER: _ClassVar[int]
    proof: bytes
    def __init__(self, proof: _Optional[bytes] = ...) -> None: ...

class PairingEnd(_message.Message):
    __slots__ = ("state", "tries_left", "proof", "problem")
    STATE_FIELD_NUMBER: _ClassVar[int]
    TRIES_LEFT_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    state: PairingState
    tries_left: int
    proof: bytes
    problem: str
    def __init__(self, state: _Optional[_Union[PairingState, str]] = ..., tries_left: _Optional[int] = ..., proof: _Optional[bytes] = ..., problem: _Optional[str] = ...) -> None: ...
