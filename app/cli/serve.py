"""`shardboard serve`: the OpenAI-compatible API of what is deployed, until stopped."""

from __future__ import annotations

import argparse
import os
import sys

from app.cli.cluster import opened
from app.cli.output import print_json
from app.core.paths import controller_paths
from app.core.serve.recipes import curl_call
from app.core.serve.server import ApiServer, ServeSettings
from app.core.settings.store import read_settings

HIDDEN_KEY = "THE_KEY"  # a terminal's output is kept and shared: the key itself is not shown there


async def serve(options: argparse.Namespace) -> int:
    chosen = read_settings(controller_paths().preferences).settings
    settings = ServeSettings(
        host=chosen.api_host if options.host is None else options.host,
        port=chosen.api_port if options.port is None else options.port,
        api_key=options.api_key or os.environ.get("SHARDBOARD_API_KEY", "") or chosen.api_key,
        origins=tuple(options.allow_origin),
    )
    async with opened(options) as controller:
        server = ApiServer(controller, settings)
        await server.start()
        try:
            model = controller.snapshot().deployment.model
            if options.json:
                print_json({"address": server.address, "base_url": f"{server.address}/v1", "model": model})
            else:
                print(f"{model} answers at {server.address}/v1", flush=True)
                print(curl_call(server.address, HIDDEN_KEY if settings.api_key else "", model), flush=True)
                print("Ctrl-C ends it.", file=sys.stderr)
            await server.wait()
        finally:
            await server.close()
    return 0
