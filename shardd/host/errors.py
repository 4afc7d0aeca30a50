"""Errors that are told to a person: the one root of all of ours."""


class SentenceError(Exception):
    """Something that did not work. `str()` is one or two plain sentences.

    Attributes:
        cause: what is wrong, a sentence with its full stop.
        remedy: what the person can do about it, likewise; may be empty.
    """

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)

    @property
    def cause(self) -> str:
        return str(self.args[0])

    @property
    def remedy(self) -> str:
        return str(self.args[1])

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}".strip()


class HostError(SentenceError):
    """This machine's folders or settings cannot be used as asked."""


class SizeError(HostError, ValueError):
    """A text that is no size."""


class DurationError(HostError, ValueError):
    """A text that is no duration."""
