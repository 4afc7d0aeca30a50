"""What can be wrong with a model, told to a person."""


class ModelError(Exception):
    """A model that cannot be used. `str()` is one or two plain sentences.

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


class CheckpointError(ModelError):
    """The files are not a whole, well-formed checkpoint."""


class UnsupportedModel(ModelError):
    """The architecture is unknown, or cannot be split in the way asked for."""
