"""Building a whole mlx-lm model from its configuration and a table of arrays, lazily."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import mlx.core as mx
import mlx.nn as nn  # pyright: ignore[reportMissingTypeStubs]  # mlx ships none for it

from shardd.host.temporary import temporary_folder
from shardd.model.checkpoint import text_config
from shardd.model.errors import CheckpointError, ModelError, UnsupportedModel
from shardd.model.ghosts import Forms, Ghosts
from shardd.model.headers import FETCH_AGAIN
from shardd.model.leaves import evaluate
from shardd.model.light import contained_imports

LAYER_LIMIT = 1024
LAYER_KEYS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")


def build_model(config: Mapping[str, Any], weights: Mapping[str, mx.array]) -> Any:
    """The mlx-lm model of `config` over `weights` (raw tensors by checkpoint name), evaluating nothing.

    It is mlx-lm's own `load_model`: quantisation and `sanitize` as there, so `weights` must hold every tensor of
    the checkpoint, real or ghost.

    Raises:
        UnsupportedModel: mlx-lm has no such model, or cannot make it from this configuration.
        CheckpointError: the weights are not those that the configuration asks for.
    """
    _check_layers(config)
    with contained_imports():
        utils: Any = importlib.import_module("mlx_lm.utils")
    model_class, arguments_class = _classes(utils, dict(config))
    with temporary_folder("shardd-") as folder:
        (folder / "config.json").write_text(json.dumps(config))
        classes = _always((_fed_class(model_class, weights), arguments_class))
        try:
            model, _ = utils.load_model(folder, lazy=True, strict=False, get_model_classes=classes)
        except ModelError:
            raise
        except Exception as error:  # whatever a model file does with a configuration it did not expect
            raise UnsupportedModel(
                f"mlx-lm cannot build this {config['model_type']} model: {in_words(error)}.",
                "Choose another version of the model.",
            ) from error
    model.__class__ = model_class
    state: Any = mx.random.state
    evaluate(state[0])  # each layer's initial values split the key: do not leave that chain behind
    return model


def build_over_ghosts(
    config: Mapping[str, Any], forms: Forms, real: Mapping[str, mx.array] | None = None
) -> tuple[Any, dict[str, mx.array], Ghosts]:
    """The model over `real` tensors and ghosts of all others; the raw tensors it was given; the ghosts.

    Raises:
        UnsupportedModel, CheckpointError: as build_model.
    """
    ghosts = Ghosts()
    raw = {**ghosts.of(forms), **(real or {})}
    try:
        return build_model(config, raw), raw, ghosts
    except UnsupportedModel as error:
        if not isinstance(error.__cause__, ValueError):
            raise
    # Some model files look at the values of small tensors: once more with ghosts that are numbers.
    ghosts = Ghosts(tame=True)
    raw = {**ghosts.of(forms), **(real or {})}
    return build_model(config, raw), raw, ghosts


def parameters_of(model: Any) -> dict[str, mx.array]:
    """The model's parameters by name."""
    utils: Any = importlib.import_module("mlx.utils")
    return utils.tree_flatten(model.parameters(), destination={})


def _always(value: Any) -> Callable[..., Any]:
    def always(**_: Any) -> Any:
        return value

    return always


def _fed_class(model_class: type, weights: Mapping[str, mx.array]) -> type:
    """`model_class`, fed with `weights` where mlx-lm hands over what it read from files (here: nothing)."""

    def sanitize(self: Any, read: dict[str, mx.array]) -> dict[str, mx.array]:
        everything = {**read, **weights}
        own: Any = getattr(model_class, "sanitize", None)
        return own(self, everything) if own else everything

    def load_weights(self: Any, arrays: list[tuple[str, mx.array]], strict: bool = True) -> Any:
        try:
            # Always strictly: names and shapes have to be exactly those of the model.
            return nn.Module.load_weights(self, arrays, strict=True)
        except ValueError as error:
            raise CheckpointError(f"The weights do not fit config.json: {in_words(error)}.", FETCH_AGAIN) from error

    return type(model_class.__name__, (model_class,), {"sanitize": sanitize, "load_weights": load_weights})


def _classes(utils: Any, config: dict[str, Any]) -> tuple[type, type]:
    models: Any = importlib.import_module("mlx_lm.models")
    known = {module.name for module in pkgutil.iter_modules(models.__path__)}
    name = config["model_type"]
    if utils.MODEL_REMAPPING.get(name, name) not in known:  # before anything is imported by that name
        raise _unknown(config)
    try:
        with contained_imports():
            model_class, arguments_class = utils._get_classes(config)
    except (ValueError, ImportError, AttributeError) as error:
        raise _unknown(config) from error
    return model_class, arguments_class


def _unknown(config: Mapping[str, Any]) -> UnsupportedModel:
    own_code = " Its folder brings program code for that, which Shardboard never runs." if "auto_map" in config else ""
    return UnsupportedModel(
        f"mlx-lm has no {str(config['model_type'])[:60]!r} models.{own_code}", "Choose a model of another kind."
    )


def _check_layers(config: Mapping[str, Any]) -> None:
    """A configuration may come from the net: it must not make us build for ever."""
    for table in (config, text_config(config)):
        for key in LAYER_KEYS:
            count: Any = table.get(key)
            if isinstance(count, int) and not 0 < count <= LAYER_LIMIT:
                raise UnsupportedModel(f"A model of {count} layers is beyond what Shardboard builds ({LAYER_LIMIT}).")


def in_words(error: Exception) -> str:
    """The first line or two of an error, without a full stop."""
    text = " ".join(str(error).split())[:200].rstrip(" .")
    return f"{type(error).__name__}, {text}" if text else type(error).__name__
