"""`shardboard serve`: the OpenAI-compatible API of what is deployed, until stopped."""

from __future__ import annotations

import argparse
import os
import sys

from app.cli.cluster import opened
from app.cli.output import print_json
from app.core.serve.server import ApiServer, ServeSettings


async def serve(options: argparse.Namespace) -> int:
    settings = ServeSettings(
        host=options.host,
        port=options.port,
        api_key=options.api_key or os.environ.get("SHARDBOARD_API_KEY", ""),
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
                print(f'  curl {server.address}/v1/chat/completions -H "Content-Type: application/json" \\', flush=True)
                print('    -d \'{"messages": [{"role": "user", "content": "Hello"}]}\'', flush=True)
                print("Ctrl-C ends it.", file=sys.stderr)
            await server.wait()
        finally:
            await server.close()
    return 0
