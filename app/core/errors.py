"""Errors that a person reads: a cause and a remedy, each a plain sentence."""

from __future__ import annotations


class ShardboardError(Exception):
    """Something that the user asked for cannot be done; nothing was changed unless the cause says so.

    cause: what is wrong, naming the node, stage or file.  remedy: what the reader can do about it.
    """

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause} {remedy}".strip())
        self.cause = cause
        self.remedy = remedy


class UsageError(ShardboardError):
    """The request itself is wrong (a malformed placement, an unknown name): exit code 2 on the command line."""
