"""Importing mlx-lm without its weight: the one place where its modules are stood in for.

`import mlx_lm.anything` runs the package's `__init__`, which brings transformers (2-3 s, 72 MB). A stage needs
only model classes and `mlx_lm.utils.load_model`. So a stage process installs an empty package object that has
mlx_lm's path, and empty tokenizer and hub modules. The controller, which uses the real tokenizers, never does.
"""

import contextlib
import importlib.util
import resource
import sys
import threading
from collections.abc import Generator
from types import ModuleType
from typing import Any

from shardd.model.errors import UnsupportedModel

# Two threads must not save each other's stand-in.
_ONE_AT_A_TIME = threading.RLock()


def import_mlx_lm_light() -> None:
    """Make `mlx_lm.utils`, `.models` and `.sample_utils` importable without transformers, in this process for good.

    Call it in a stage process before anything imports mlx_lm. Where mlx_lm is already imported, it does nothing.
    """
    if "mlx_lm" in sys.modules:
        return
    package = bare_package()
    tokenizers = ModuleType("mlx_lm.tokenizer_utils")
    hub = ModuleType("huggingface_hub")
    for module, name in ((tokenizers, "TokenizerWrapper"), (tokenizers, "load"), (hub, "snapshot_download")):
        setattr(module, name, _absent)
    sys.modules |= {"mlx_lm": package, "mlx_lm.tokenizer_utils": tokenizers}
    absent = "huggingface_hub" not in sys.modules
    if absent:
        sys.modules["huggingface_hub"] = hub
    try:
        with contained_imports():
            importlib.import_module("mlx_lm.utils")
    finally:
        if absent:  # others may want the real one
            del sys.modules["huggingface_hub"]


def bare_package() -> ModuleType:
    """mlx-lm's package without what its `__init__` does, to be put into sys.modules. Raises UnsupportedModel."""
    spec = importlib.util.find_spec("mlx_lm")
    if spec is None or spec.submodule_search_locations is None:
        raise UnsupportedModel("mlx-lm is not installed on this machine.", "Install Shardboard again.")
    package = ModuleType("mlx_lm")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    return package


@contextlib.contextmanager
def contained_imports() -> Generator[None]:
    """Imports of mlx_lm modules inside it leave the process as it was.

    `mlx_lm.utils` lowers the hard limit of open files for good; `mlx_lm.models.olmo` exits the process.
    """
    with _ONE_AT_A_TIME:
        set_limit = resource.setrlimit
        resource.setrlimit = _ignore
        try:
            yield
        except SystemExit as error:
            raise ImportError("the module wanted to end the process") from error
        finally:
            resource.setrlimit = set_limit


def _absent(*_: Any, **__: Any) -> Any:
    raise RuntimeError("Tokenizers and the hub are not available in a stage process.")


def _ignore(*_: Any) -> None:
    return
