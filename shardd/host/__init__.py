"""This machine: its facts, its readings, its folders, and how sizes are written."""

from shardd.host.allocator import keep_freed_memory, return_freed_memory
from shardd.host.durations import format_duration, parse_duration
from shardd.host.errors import DurationError, HostError, SentenceError, SizeError
from shardd.host.facts import HostFacts, describe_host
from shardd.host.load import LoadReader, rss_of
from shardd.host.memory import MemoryReader, MemoryReading
from shardd.host.network import addresses
from shardd.host.paths import atomic_write, data_directory, disk_free, is_locked, locked, private_directory, read_file
from shardd.host.sizes import format_bytes, parse_size

__all__ = [
    "DurationError",
    "HostError",
    "HostFacts",
    "LoadReader",
    "MemoryReader",
    "MemoryReading",
    "SentenceError",
    "SizeError",
    "addresses",
    "atomic_write",
    "data_directory",
    "describe_host",
    "disk_free",
    "format_bytes",
    "format_duration",
    "is_locked",
    "keep_freed_memory",
    "locked",
    "parse_duration",
    "parse_size",
    "private_directory",
    "read_file",
    "return_freed_memory",
    "rss_of",
]
