"""The story of the first day, in the real window, by real events of mouse and keyboard; a picture of each step.

`python -m tests.ui.story OUT [--light] [--size 1440x900] [--scale 1]` needs Xvfb and xdotool. First start, a machine
by its address and another one, a model from a hub on loopback, layers placed by drag, chat in two conversations, a
boundary moved while both answer, a machine killed, an export; then the window is closed and opened again, and all of
it is found. Ends with code 0 when all went well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.ui.house import MARGIN, built, environment, hub_of, screen

ACTS = ("first", "second")
ACT_S = 600


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    width, height = (int(number) for number in options.size.split("x"))
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("[0-9][0-9]-*.png"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory(prefix="story-", ignore_cleanup_errors=True) as folder,
        screen(round((width + 2 * MARGIN) * options.scale), round((height + 2 * MARGIN) * options.scale)) as display,
        built(Path(folder), "light" if options.light else "dark") as house,
        hub_of(house) as hub,
    ):
        variables = environment(house, display, options.scale)
        for act in ACTS:
            command = [sys.executable, "-m", "tests.ui.acts", act, str(house.folder), str(out), options.size]
            command.append(f"{options.scale:g}")
            code = subprocess.run(command, env=variables | {"HF_ENDPOINT": hub.endpoint}, timeout=ACT_S).returncode
            if code:
                print(f"the {act} act ended with code {code}", file=sys.stderr)
                return code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.ui.story", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--light", action="store_true", help="light instead of dark")
    parser.add_argument("--size", default="1440x900", metavar="WIDTHxHEIGHT", help="of the window")
    parser.add_argument("--scale", type=float, default=1.0, help="pixels of the screen for each of Qt's")
    return parser


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    raise SystemExit(main(sys.argv[1:]))
