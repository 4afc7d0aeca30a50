"""What can be wrong with a model, told to a person."""

from shardd.host.errors import SentenceError


class ModelError(SentenceError):
    """A model that cannot be used."""


class CheckpointError(ModelError):
    """The files are not a whole, well-formed checkpoint."""


class UnsupportedModel(ModelError):
    """The architecture is unknown, or cannot be split in the way asked for."""
