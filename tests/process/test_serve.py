"""The endpoint, by the official client, against `shardboard serve` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest

from tests.process.conftest import shardboard

MODEL = "shardboard-tiny"
QUESTION = [{"role": "user", "content": "What is a shard?"}]
ANSWER = "A shard is the piece of the model that lies on one node's disk"


class Served:
    """`shardboard serve --local 3 --port 0`."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "app.cli.main", "serve", "--local", "3", "--port", "0", "--json", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(self._process.communicate()[1])
        self.address: str = json.loads(line)["address"]
        self._clients: dict[str, openai.OpenAI] = {}

    def client(self, key: str = "none") -> openai.OpenAI:
        if key not in self._clients:
            made = openai.OpenAI(base_url=f"{self.address}/v1", api_key=key, max_retries=0, timeout=60)
            self._clients[key] = made
        return self._clients[key]

    def close(self) -> int:
        for client in self._clients.values():
            client.close()
        self._process.terminate()
        code = self._process.wait(60)
        self._process.communicate()
        return code


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    running = Served("--context", "1024")
    ask(running, max_tokens=1)  # the first prompt starts the process that renders templates, which stays
    yield running
    assert running.close() in (0, 130)


def ask(served: Served, **more: Any) -> Any:
    settings = {"model": MODEL, "messages": QUESTION, "temperature": 0, "max_tokens": 60} | more
    return served.client().chat.completions.create(**settings)


def test_whole_and_streamed_answers(served: Served) -> None:
    whole = ask(served)
    text = whole.choices[0].message.content
    assert text.startswith(ANSWER) and whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 20
    chunks = list(ask(served, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1
    assert shardboard("generate", "--local", "2", "-p", QUESTION[0]["content"], "--json").json["text"] == text


def test_stops_limits_seeds_and_choices(served: Served) -> None:
    stopped = ask(served, stop=["piece"])
    assert stopped.choices[0].message.content == "A shard is the " and stopped.choices[0].finish_reason == "stop"
    assert ask(served, max_tokens=3).choices[0].finish_reason == "length"
    warm = [ask(served, temperature=1.0, seed=5, top_p=0.9).choices[0].message.content for _ in range(2)]
    assert warm[0] == warm[1]
    several = ask(served, n=3, temperature=0)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in several.choices}) == 1
    streamed = list(ask(served, n=2, stream=True, max_tokens=5))
    assert {chunk.choices[0].index for chunk in streamed} == {0, 1}


def test_logprobs(served: Served) -> None:
    content = ask(served, logprobs=True, top_logprobs=3, max_tokens=5).choices[0].logprobs.content
    assert len(content) == 5
    for entry in content:
        assert entry.top_logprobs[0].token == entry.token and entry.top_logprobs[0].logprob == entry.logprob <= 0
        assert entry.top_logprobs[0].logprob >= entry.top_logprobs[2].logprob


def test_completions_and_models(served: Served) -> None:
    client = served.client()
    made = client.completions.create(model=MODEL, prompt=["Once", "Once"], max_tokens=6, temperature=0, logprobs=2)
    assert len(made.choices) == 2 and made.choices[0].text == made.choices[1].text
    assert len(made.choices[0].logprobs.tokens) == 6
    echoed = client.completions.create(model=MODEL, prompt="Once", max_tokens=2, temperature=0, echo=True)
    assert echoed.choices[0].text.startswith("Once")
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "shardboard"
    health = httpx2.get(f"{served.address}/health").json()
    assert health["status"] == "ok" and len(health["nodes"]) == 3
    assert httpx2.get(f"{served.address}/config").json()["context_tokens"] == 1024


def test_sixteen_at_once(served: Served) -> None:
    alone = ask(served).choices[0].message.content
    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(lambda _: ask(served).choices[0].message.content, range(16)))
    assert set(texts) == {alone}


def test_what_is_wrong_is_said_as_openai_says_it(served: Served) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(served, model="gpt-9")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        ask(served, messages=[{"role": "user", "content": "shard " * 3000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as long_stream:
        ask(served, messages=[{"role": "user", "content": "shard " * 3000}], stream=True)
    assert long_stream.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as long_prompt:
        served.client().completions.create(model=MODEL, prompt="shard " * 3000)
    assert (long_prompt.value.code, long_prompt.value.param) == ("context_length_exceeded", "prompt")
    with pytest.raises(openai.BadRequestError) as wrong:
        ask(served, temperature=9)
    assert wrong.value.param == "temperature"
    raw = httpx2.post(f"{served.address}/v1/chat/completions", content=b"{not json")
    assert raw.status_code == 400 and raw.json()["error"]["message"] == "The body is not valid JSON."
    assert httpx2.get(f"{served.address}/v1/nothing").status_code == 404
    assert httpx2.get(f"{served.address}/v1/models", headers={"host": "evil.example"}).status_code == 403
    assert httpx2.get(f"{served.address}/v1/models", headers={"origin": "https://evil.example"}).status_code == 403


def eventually_idle(served: Served) -> None:
    """Until no answer is being written any more, long before 900 tokens could be."""
    deadline = time.monotonic() + 5
    while httpx2.get(f"{served.address}/health").json()["answers"]:
        assert time.monotonic() < deadline, "an answer that nobody reads is still being written"
        time.sleep(0.02)


def test_a_client_that_goes_away_stops_its_answer(served: Served) -> None:
    for stream in (True, False):
        body = {"model": MODEL, "prompt": "Once", "max_tokens": 900, "temperature": 0, "stream": stream}
        with httpx2.Client(timeout=httpx2.Timeout(5, read=0.5)) as client:
            if stream:
                with client.stream("POST", f"{served.address}/v1/completions", json=body) as reply:
                    next(reply.iter_lines())
            else:
                with contextlib.suppress(httpx2.ReadTimeout):
                    client.post(f"{served.address}/v1/completions", json=body)
        eventually_idle(served)


@pytest.mark.in_turn
def test_a_key_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    refused = shardboard("serve", "--host", "0.0.0.0", "--local", "1")
    assert refused.code == 1 and "needs a key" in refused.err
    running = Served("--api-key", "secret")
    try:
        with pytest.raises(openai.AuthenticationError):
            running.client("wrong").models.list()
        assert [model.id for model in running.client("secret").models.list()] == [MODEL]
        port = running.address.rpartition(":")[2]
        taken = shardboard("serve", "--local", "1", "--port", port)
        assert taken.code == 1 and "cannot be listened on" in taken.err
    finally:
        running.close()


def test_asynchronous_clients(served: Served) -> None:
    async def several() -> list[str]:
        client = openai.AsyncOpenAI(base_url=f"{served.address}/v1", api_key="none", max_retries=0)

        async def one() -> str:
            stream = await client.chat.completions.create(
                model=MODEL, messages=QUESTION, temperature=0, max_tokens=20, stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

        try:
            return await asyncio.gather(*(one() for _ in range(4)))
        finally:
            await client.close()

    assert len(set(asyncio.run(several()))) == 1
