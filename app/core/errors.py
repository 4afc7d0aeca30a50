"""Errors that a person reads: a cause and a remedy, each a plain sentence."""

from __future__ import annotations

from app.core.text import joined
from shardd.host import SentenceError

__all__ = ["SentenceError", "ShardboardError", "UsageError"]


class ShardboardError(SentenceError):
    """Something that the user asked for cannot be done; nothing was changed unless the cause says so.

    cause: what is wrong, naming the node, stage or file.  remedy: what the reader can do about it.
    """

    def __str__(self) -> str:
        """Both, as one text that can still be translated."""
        return joined((self.cause, self.remedy))


class UsageError(ShardboardError):
    """The request itself is wrong (a malformed placement, an unknown name): exit code 2 on the command line."""
