"""The light import of mlx-lm, each time in a process of its own."""

import subprocess
import sys

import pytest

LIGHT = """
import resource, sys, time
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
from shardd.model.light import import_mlx_lm_light
import_mlx_lm_light()
import_mlx_lm_light()
import mlx_lm.utils, mlx_lm.models.llama, mlx_lm.models.cache, mlx_lm.sample_utils
import shardd.model.stage
heavy = {"transformers", "tokenizers", "huggingface_hub", "numpy", "torch"} & sys.modules.keys()
assert not heavy, heavy
assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits
assert mlx_lm.utils._get_classes({"model_type": "mistral"})[0] is mlx_lm.models.llama.Model
try:
    mlx_lm.utils.load_tokenizer("x")
except RuntimeError as error:
    assert "not available in a stage process" in str(error)
"""

REAL = """
import resource
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
from shardd.model.light import contained_imports
with contained_imports():
    import mlx_lm.utils
assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits
assert mlx_lm.utils.TokenizerWrapper.__module__ == "mlx_lm.tokenizer_utils"
from shardd.model.light import import_mlx_lm_light
import_mlx_lm_light()
import mlx_lm.tokenizer_utils, transformers
assert mlx_lm.utils.TokenizerWrapper is mlx_lm.tokenizer_utils.TokenizerWrapper
try:
    with contained_imports():
        import mlx_lm.models.olmo
except ImportError as error:
    assert "end the process" in str(error)
"""

NO_MLX = """
import sys
import shardd.model.checkpoint, shardd.model.units, shardd.model.blueprint
assert not [name for name in sys.modules if name.startswith("mlx")]
"""


@pytest.mark.parametrize("program", [LIGHT, REAL, NO_MLX], ids=["light", "real", "no mlx"])
def test_import(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
