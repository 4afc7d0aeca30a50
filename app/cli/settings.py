"""`shardboard settings [NAME [VALUE]]`: the same file that the window's Settings page shows and changes."""

from __future__ import annotations

import argparse
import sys

from app.cli.output import print_json
from app.core.errors import UsageError
from app.core.paths import controller_paths
from app.core.settings.settings import Settings, choices, read_choice, shown
from app.core.settings.store import read_settings, write_change


async def settings(options: argparse.Namespace) -> int:
    file = controller_paths().preferences
    found = read_settings(file)
    if found.problem:
        print(f"shardboard: {found.problem}", file=sys.stderr)
    now = found.settings
    names = [each.name for each in choices()]
    if options.name is not None and options.name not in names:
        raise UsageError(f'There is no setting "{options.name}".', f"There are: {', '.join(names)}.")
    if options.value is not None:
        now = write_change(file, {options.name: read_choice(options.name, options.value)})
    wanted = [options.name] if options.name else names
    if options.json:
        print_json({name: _plain(now, name) for name in wanted})
    else:
        told = {each.name: each.what for each in choices()}
        for name in wanted:
            print(f"{name} = {shown(now, name)}" + ("" if options.name else f"   ({told[name]})"))
    return 0


def _plain(now: Settings, name: str) -> object:
    """As JSON has it; of the API's key only whether there is one."""
    value = getattr(now, name)
    if name == "api_key":
        return bool(value)
    return dict(value) if name == "memory_reserves" else value
