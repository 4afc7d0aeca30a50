"""`shardboard pair`, `unpair` and `rotate`: which machines this controller trusts, and by which key they know it."""

from __future__ import annotations

import argparse
import sys

from app.cli.cluster import connected
from app.cli.commands import read_line, settle
from app.cli.output import print_json
from app.core.errors import ShardboardError
from shardd.identity import short_fingerprint


async def pair(options: argparse.Namespace) -> int:
    """By the code that the other machine shows; asks for it where --code does not say it."""
    async with connected(known_nodes=False) as controller:
        code = options.code
        if code is None:
            probed = await controller.probe_agent(options.address)
            if not probed.pairs and not probed.trusts_us:
                raise ShardboardError(probed.advice)
            name = probed.name or probed.address
            print(f"{name} has the fingerprint {short_fingerprint(probed.fingerprint)}.", file=sys.stderr)
            if not probed.name:
                print(probed.advice, file=sys.stderr)
            code = await read_line("Code: ")
        known = await controller.pair_node(options.address, code)
        if options.json:
            print_json(
                {
                    "name": known.name,
                    "address": known.address,
                    "fingerprint": known.fingerprint,
                    "controller_fingerprint": controller.identity.fingerprint,
                }
            )
        else:
            print(f"Paired with {known.name}, fingerprint {short_fingerprint(known.fingerprint)}.")
            print(f"There this controller has the fingerprint {short_fingerprint(controller.identity.fingerprint)}.")
    return 0


async def unpair(options: argparse.Namespace) -> int:
    async with connected(known_nodes=True) as controller:
        if options.node in controller.nodes:
            await settle(controller)
        told = await controller.forget_node(options.node)
        print_json({"name": options.node, "text": told}) if options.json else print(told)
    return 0


async def rotate(options: argparse.Namespace) -> int:
    async with connected(known_nodes=True) as controller:
        await settle(controller)
        identity = await controller.rotate_key()
        if options.json:
            print_json({"fingerprint": identity.fingerprint, "nodes": list(controller.nodes)})
        else:
            print(f"This controller has a new key, fingerprint {short_fingerprint(identity.fingerprint)}.")
    return 0
