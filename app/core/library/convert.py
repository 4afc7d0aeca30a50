"""Making a quantised copy of a model on this disk, by mlx-lm in a child process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.errors import ShardboardError
from app.core.text import phrase
from shardd.host import disk_free, format_bytes

BITS = (4, 8)
GROUP_SIZE = 64
OWNER = "local"


async def convert(source: Path, root: Path, bits: int, progress: Callable[[int, int], None]) -> Path:
    """The folder of the quantised copy, root/local/NAME-4bit. Visible only when whole; cancelling leaves nothing.

    Raises:
        ShardboardError: with a sentence for a person.
    """
    if bits not in BITS:
        raise ShardboardError(phrase("A model cannot be converted to {bits} bits.", bits=bits), "Choose 4 or 8.")
    target = root / OWNER / f"{source.name}-{bits}bit"
    if target.exists():
        raise ShardboardError(
            phrase("{owner}/{name} is here already.", owner=OWNER, name=target.name), "Remove it first to make it anew."
        )
    need = sum(file.stat().st_size for file in source.glob("*.safetensors")) * (bits + 1) // 16
    if need > disk_free(root if root.exists() else root.parent):
        raise ShardboardError(
            phrase("About {need} of disk space are needed for the copy.", need=format_bytes(need)), "Free them first."
        )
    part = root / ".incoming" / f"{OWNER}--{target.name}"
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shardd.model.convert",
        str(source),
        str(part),
        str(bits),
        str(GROUP_SIZE),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    last: dict[str, Any] = {}
    try:
        async for line in process.stdout:
            with contextlib.suppress(ValueError):
                last = json.loads(line)
                if "done" in last:
                    progress(int(last["done"]), int(last["total"]))
        await process.wait()
        if "error" in last:
            raise ShardboardError(last["cause"], last["remedy"])
        if "bits_per_weight" not in last:
            raise ShardboardError(
                phrase(
                    "Converting {name} ended half-way (code {returncode}).",
                    name=source.name,
                    returncode=process.returncode,
                ),
                "Is there enough memory?",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, target)
        return target
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shutil.rmtree(part, ignore_errors=True)
