"""How other programs are told of the API: its address, a call with curl, the settings of an OpenAI client. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

NO_KEY = "none"  # clients insist on one; ours is not asked for it
ALL_ADDRESSES = ("0.0.0.0", "::")


def api_address(host: str, port: int, own_addresses: Sequence[str] = ()) -> str:
    """http://HOST:PORT by which it is called. Bound to all addresses, by the first of this machine's own."""
    name = host
    if host in ALL_ADDRESSES:
        name = next(iter(own_addresses), "127.0.0.1")
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def curl_call(address: str, key: str = "", model: str = "") -> str:
    """A command for a shell that asks one question."""
    body: dict[str, object] = {"messages": [{"role": "user", "content": "Hello"}]}
    if model:
        body = {"model": model, **body}
    lines = [f"curl {shlex.quote(f'{address}/v1/chat/completions')}", "  -H 'Content-Type: application/json'"]
    if key:
        lines.append(f"  -H {shlex.quote(f'Authorization: Bearer {key}')}")
    lines.append(f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n".join(lines)


def client_settings(address: str, key: str = "", model: str = "") -> str:
    """The environment that OpenAI's own clients, and most programs made for it, read."""
    lines = [f"OPENAI_BASE_URL={shlex.quote(f'{address}/v1')}", f"OPENAI_API_KEY={shlex.quote(key or NO_KEY)}"]
    if model:
        lines.append(f"OPENAI_MODEL={shlex.quote(model)}")
    return "\n".join(lines)
