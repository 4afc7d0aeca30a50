"""What a unit's push says when its call ends while it is written to."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from app.core.cluster import client as client_module
from app.core.cluster.address import Address
from app.core.cluster.client import AgentClient, AgentError
from app.core.deployment.push import AWAY
from shardd.identity import create_identity


class EndedCall:
    """A call that fails at its n-th write, or at its end, and then knows a status, or never does."""

    def __init__(self, failure: Exception, writes: int, code: grpc.StatusCode | None) -> None:
        self._failure, self._left, self._code = failure, writes, code

    async def write(self, _: Any) -> None:
        if self._left == 0:
            raise self._failure
        self._left -= 1

    async def done_writing(self) -> None:
        raise self._failure

    async def code(self) -> grpc.StatusCode | None:
        return self._code or await asyncio.get_running_loop().create_future()

    async def details(self) -> str:
        return "the connection broke"

    def cancel(self) -> None:
        pass


@pytest.mark.parametrize("failure", [grpc.aio.InternalError("execute_batch"), grpc.aio.UsageError("over")])
@pytest.mark.parametrize("writes", [0, 1, 9])
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.FAILED_PRECONDITION, None])
async def test_a_call_that_ends_while_it_is_written_to(
    failure: Exception, writes: int, code: grpc.StatusCode | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "CALL_S", 0.02)
    identity = create_identity("controller")
    client = AgentClient("mini-1", Address("127.0.0.1", 1), identity, identity.certificate_pem)
    pieces = iter([b"x"] * 3)
    monkeypatch.setattr(client, "_push_unit", lambda: EndedCall(failure, writes, code))
    try:
        with pytest.raises(AgentError, match="mini-1") as failed:
            await client.push_unit("0" * 64, 3, 0, lambda: next(pieces, None), lambda _: None)
    finally:
        await client.close()
    assert failed.value.code == (code or grpc.StatusCode.UNAVAILABLE)
    assert (failed.value.code in AWAY) == (code is not grpc.StatusCode.FAILED_PRECONDITION)
