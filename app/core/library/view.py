"""The library as it is shown: values, without what it takes to fill them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a window that only shows them need not wait for the hub's client
    from app.core.library.conversions import Conversion
    from app.core.library.models import FoundModel
    from app.core.library.queue import Download


@dataclass(frozen=True, slots=True)
class LibraryView:
    """The library as it stands: models on this disk, by name; downloads and conversions in their order.

    root: where downloads go; free_bytes: on its disk.  looked: whether the disk was looked at yet; before that, no
    models means nothing.
    """

    models: tuple[FoundModel, ...] = ()
    downloads: tuple[Download, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    folders: tuple[Path, ...] = ()
    root: Path = Path()
    free_bytes: int | None = None
    looked: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """What remove() would do. kind: "delete" (bytes are freed), "forget" (nothing is deleted) or "none".

    sentence: for a question, or why it cannot be.
    """

    kind: str
    bytes: int
    sentence: str
