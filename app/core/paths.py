"""Where the controller keeps what must survive: its identity, nodes, conversations and caches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from shardd.host import private_directory


@dataclass(frozen=True, slots=True)
class ControllerPaths:
    data: Path

    @property
    def identity(self) -> Path:
        return self.data / "identity"

    @property
    def peers(self) -> Path:
        return self.data / "peers"

    @property
    def nodes(self) -> Path:
        return self.data / "nodes.json"

    @property
    def deployment(self) -> Path:
        return self.data / "deployment.json"

    @property
    def changing(self) -> Path:
        """Marked while a program changes what is deployed."""
        return self.data / "changing.lock"

    @property
    def turns(self) -> Path:
        """Held by the program that changes it at this moment, with a count of such changes."""
        return self.data / "turns.lock"

    @property
    def conversations(self) -> Path:
        return self.data / "conversations.sqlite"

    @property
    def settings(self) -> Path:
        """Where the window was and how large."""
        return self.data / "settings.ini"

    @property
    def preferences(self) -> Path:
        """What the owner has chosen."""
        return self.data / "settings.json"

    @property
    def placements(self) -> Path:
        """Placements that were saved by name."""
        return self.data / "placements.json"

    @property
    def figures(self) -> Path:
        """What was measured of the machines."""
        return self.data / "figures.json"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def model_folders(self) -> Path:
        return self.data / "model-folders.json"

    @property
    def downloads(self) -> Path:
        return self.data / "downloads.json"

    @property
    def headers(self) -> Path:
        return self.data / "headers"

    @property
    def digests(self) -> Path:
        return self.data / "digests"


def controller_paths(data: Path | None = None) -> ControllerPaths:
    """data, or the variable SHARDBOARD_DATA, or the system's usual place; made private."""
    if data is None and os.environ.get("SHARDBOARD_DATA"):
        data = Path(os.environ["SHARDBOARD_DATA"])
    chosen = data or Path(platformdirs.user_data_dir("shardboard", appauthor=False))
    return ControllerPaths(private_directory(chosen.absolute()))
