"""The signs of life of one machine: its beats, and what it answers on another connection where one is late.

beats   |    |    |         x    x    x  (lost on the way: the connection waits for the first of them)
asks                          ?=  ?=     answered on the control connection: the machine is there
silence 0    0    0   .25 .5  0   0
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Protocol

from app.core.cluster.client import AgentError
from app.core.text import phrase
from shardd.host.silence import TICK_S, Silence
from shardd.rpc import agent_pb2

ASK_S = 0.45  # of silence: one beat is late
BEATLESS_S = 10.0  # a machine that answers and says nothing of itself for so long is no better than one that is gone


class Watched(Protocol):
    """What of AgentClient is used here: two connections."""

    @property
    def name(self) -> str: ...
    def watch(self, interval_ms: int) -> AsyncIterator[agent_pb2.Beat]: ...
    async def list_stages(self) -> Any: ...


async def signs_of_life(
    client: Watched, interval_ms: int, tick_s: float = TICK_S, new_silence: Callable[[], Silence] = Silence
) -> AsyncGenerator[agent_pb2.Beat | float]:
    """Every beat as it comes; in between, at every tick, the seconds of silence, 0 where it has answered otherwise.

    Ends where the machine ends the stream of beats; raises AgentError where the stream breaks.
    """
    beats = aiter(client.watch(interval_ms))
    silence, beatless = new_silence(), new_silence()
    next_beat = asyncio.ensure_future(anext(beats))
    asked: set[asyncio.Task[Any]] = set()
    ask_at = ASK_S
    try:
        while True:
            done, _ = await asyncio.wait([next_beat, *asked], timeout=tick_s, return_when=asyncio.FIRST_COMPLETED)
            answered = [task for task in asked & done if task.exception() is None]
            asked -= done
            if next_beat in done:
                silence.heard()
                beatless.heard()
                await _forget(asked)
                asked, ask_at = set(), ASK_S
                yield next_beat.result()
                next_beat = asyncio.ensure_future(anext(beats))
                continue
            if beatless.look() >= BEATLESS_S:
                raise AgentError(phrase("{name} answers, and says nothing of itself any more.", name=client.name))
            if answered:
                silence.heard()
                ask_at = ASK_S
            silent = silence.look()
            if silent >= ask_at:
                ask_at = silent + tick_s
                asked.add(asyncio.create_task(client.list_stages(), name=f"{client.name}-ask"))
            yield silent
    except StopAsyncIteration:
        return
    finally:
        await _forget({next_beat, *asked})


async def _forget(tasks: set[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
