"""What the story plays in: two machines that run `shardd`, a hub on loopback, a home for the window, and a screen."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.core.library.models import built_in_model
from app.core.paths import ControllerPaths
from app.core.settings.store import write_change
from shardd.host import private_directory
from tests.hub.server import LoopbackHub

MACHINES = ("mini-1", "mini-2")
REPO = "mlx-community/Shardboard-Tiny"
MARGIN = 30  # of the screen around the window: a frame would stand there
STOP_S = 20
BYTES_PER_S = 3e6  # the model's eight megabytes are seen coming


@dataclass(frozen=True)
class House:
    """Attributes: folder, where all of it lies; addresses and processes of the machines, by name."""

    folder: Path
    addresses: dict[str, str]
    processes: dict[str, int]

    @property
    def paths(self) -> ControllerPaths:
        return ControllerPaths(private_directory(self.folder / "window"))

    @property
    def upstream(self) -> Path:
        """What lies on the hub."""
        return self.folder / "upstream"

    def code(self, machine: str) -> str:
        """As `shardd pair` shows it on the machine."""
        command = [sys.executable, "-m", "shardd.main", "pair", "--json", "--data", str(self.folder / machine)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL)
        return json.loads(done.stdout)["code"]

    def kill(self, machine: str) -> None:
        """As kill -9 of all that runs there, at once."""
        agent = psutil.Process(self.processes[machine])
        for process in (*agent.children(recursive=True), agent):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def write(self) -> None:
        table = {"addresses": self.addresses, "processes": self.processes}
        (self.folder / "house.json").write_text(json.dumps(table), "utf-8")


def read_house(folder: Path) -> House:
    table = json.loads((folder / "house.json").read_text("utf-8"))
    return House(folder, table["addresses"], table["processes"])


@contextlib.contextmanager
def built(folder: Path, appearance: str) -> Generator[House]:
    """The machines run until the end."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    house = House(folder, {}, {})
    shutil.copytree(built_in_model(), house.upstream)
    write_change(house.paths.preferences, {"appearance": appearance})
    try:
        for name in MACHINES:
            command = [sys.executable, "-m", "shardd.main", "run", "--host", "127.0.0.1", "--port", "0"]
            command += ["--data", str(folder / name), "--name", name, "--json"]
            running[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for name, process in running.items():
            assert process.stdout is not None
            house.addresses[name] = f"127.0.0.1:{json.loads(process.stdout.readline())['port']}"
            house.processes[name] = process.pid
        house.write()
        yield house
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            try:
                process.communicate(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@contextlib.contextmanager
def hub_of(house: House) -> Generator[LoopbackHub]:
    with LoopbackHub() as hub:
        hub.add_repository(REPO, house.upstream, downloads=7)
        hub.faults.bytes_per_s = BYTES_PER_S
        yield hub


@contextlib.contextmanager
def screen(width: int, height: int) -> Generator[str]:
    """An Xvfb of this many pixels; its display's name."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            yield f":{pipe.readline().strip()}"
    finally:
        server.terminate()
        server.wait(STOP_S)


def environment(house: House, display: str, scale: float) -> dict[str, str]:
    """Of a window that finds nothing of the user's. The hub's address is added where a hub is."""
    strange = ("HF_", "HUGGING", "XDG_", "QT_", "SHARDD", "SHARDBOARD")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    home = house.folder / "home"
    home.mkdir(exist_ok=True)
    return inherited | {
        "DISPLAY": display,
        "HOME": str(home),
        "HF_HOME": str(home / "huggingface"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "QT_QPA_PLATFORM": "xcb",
        "QT_SCALE_FACTOR": f"{scale:g}",
    }
