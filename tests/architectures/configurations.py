"""A tiny configuration for every architecture of the installed mlx-lm.

In this order: one of ../shared/architectures, one of ours in configurations/, one that is derived from the fields of
the architecture's ModelArgs, so that what a newer mlx-lm brings is tried without a change here.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import pkgutil
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shardd.model.light import contained_imports
from tests.architectures.stand_ins import stand_ins

OURS = Path(__file__).parent / "configurations"
SHARED = Path(__file__).parents[2].parent / "shared" / "architectures"

LAYERS = 5
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": LAYERS,
    "num_layers": LAYERS,
    "n_layers": LAYERS,
    "n_layer": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
    "model_max_length": 512,
    "rms_norm_eps": 1e-5,
    "norm_eps": 1e-5,
    "layer_norm_epsilon": 1e-5,
    "layernorm_epsilon": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "partial_rotary_factor": 0.5,
    "num_experts": 4,
    "n_routed_experts": 4,
    "num_local_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "num_experts_per_token": 2,
    "moe_topk": 2,
    "moe_top_k": 2,
    "moe_k": 2,
    "num_shared_experts": 1,
    "n_shared_experts": 1,
    "num_shared_expert": 1,
    "moe_intermediate_size": 32,
    "expert_ffn_hidden_size": 32,
    "ffn_hidden_size": 96,
    "shared_expert_intermediate_size": 32,
    "share_expert_dim": 32,
    "first_k_dense_replace": 1,
    "num_dense_layers": 1,
    "n_group": 1,
    "topk_group": 1,
    "routed_scaling_factor": 1.0,
    "q_lora_rank": 32,
    "kv_lora_rank": 32,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "sliding_window": 8,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
    "linear_conv_kernel_dim": 4,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
    "topk_method": "noaux_tc",
    "scoring_func": "sigmoid",
}
_DENSE = {"hidden_size": 128, "intermediate_size": 192, "vocab_size": 1000}
SMALLER: dict[str, dict[str, Any]] = {
    "afm7": {"hidden_dim": 128, "num_heads": 4, "num_kv_heads": 2},
    "dbrx": {"d_model": 128, "ffn_config": {"ffn_hidden_size": 128, "moe_num_experts": 4, "moe_top_k": 2}},
    "falcon_h1": {"hidden_size": 128, "head_dim": 32, "mamba_d_ssm": 192, "mamba_n_heads": 6, "mamba_d_head": 32},
    "jamba": {"mamba_expand": 4, "mamba_d_state": 16},
    "lfm2": {"hidden_size": 128, "block_dim": 128, "block_ff_dim": 256, "block_multiple_of": 64},
    "llama-variant-2": _DENSE,
    "openelm": {
        "model_dim": 256,
        "num_transformer_layers": 6,
        "num_query_heads": [4] * 6,
        "num_kv_heads": [2] * 6,
        "ffn_multipliers": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0],
    },
    "phi3small": {"hidden_size": 64},
    "pixtral": {
        "text_config": _DENSE
        | {"model_type": "llama", "num_hidden_layers": 4, "num_attention_heads": 4, "rms_norm_eps": 1e-5}
        | {"tie_word_embeddings": False}
    },
    "qwen2": _DENSE,
    "qwen2_moe": _DENSE | {"moe_intermediate_size": 64, "shared_expert_intermediate_size": 128},
    "qwen3-variant-2": _DENSE | {"head_dim": 32},
    "qwen3_moe": {"moe_intermediate_size": 64},
    "stablelm-variant-2": _DENSE,
}
"""Sizes that make a shared configuration as quick as the others."""
BY_TYPE: tuple[tuple[str, Any], ...] = (
    ("bool", False),
    ("int", 4),
    ("float", 1.0),
    ("str", ""),
    ("List", []),
    ("Dict", {}),
)


@dataclass(frozen=True)
class Configuration:
    """What to build: config.json's content. origin: "shared", "ours" or "derived"."""

    name: str
    module: str
    config: dict[str, Any]
    origin: str


def model_types() -> list[str]:
    """Every module of the installed mlx-lm that is an architecture, without importing any."""
    names: list[str] = []
    for found in pkgutil.iter_modules(_folders()):
        source = Path(found.module_finder.find_spec(found.name).origin).read_text()
        if re.search(r"\bModel\b", source) and re.search(r"\bModelArgs\b", source):
            names.append(found.name)
    return names


def _folders() -> list[str]:
    if "mlx_lm.models" in sys.modules:
        return list(sys.modules["mlx_lm.models"].__path__)
    package: Any = importlib.util.find_spec("mlx_lm")
    return [str(Path(folder) / "models") for folder in package.submodule_search_locations]


def other_names() -> dict[str, str]:
    """Names in config.json that mlx-lm takes for one of its model types, and for which."""
    with contained_imports():
        utils: Any = importlib.import_module("mlx_lm.utils")
    return dict(utils.MODEL_REMAPPING)


def configurations(model_type: str) -> list[Configuration]:
    """All configurations of a model type that are at hand; else a derived one, where its ModelArgs tell enough."""
    found = [*_read(SHARED, "shared", model_type), *_read(OURS, "ours", model_type)]
    return found or [Configuration(model_type, model_type, config, "derived") for config in derive(model_type)]


def _read(folder: Path, origin: str, model_type: str) -> list[Configuration]:
    found: list[Configuration] = []
    for path in sorted(folder.glob("*.json")):
        spec = json.loads(path.read_text())
        named = spec["config"].get("model_type")
        # Some architectures are another's class by another name.
        if model_type == (named if named == path.stem else spec["module"]):
            config = spec["config"] | SMALLER.get(path.stem, {}) | {"model_type": model_type}
            found.append(Configuration(path.stem, model_type, config, origin))
    return found


def derive(model_type: str) -> list[dict[str, Any]]:
    """Small values for the fields of ModelArgs, by name where it is well known and by type where not. At most one."""
    with contained_imports(), stand_ins(model_type):
        arguments: Any = importlib.import_module(f"mlx_lm.models.{model_type}").ModelArgs
    if not dataclasses.is_dataclass(arguments):
        return []
    config: dict[str, Any] = {"model_type": model_type}
    for each in dataclasses.fields(arguments):
        if each.name in SMALL:
            config[each.name] = SMALL[each.name]
        elif (
            each.default is dataclasses.MISSING
            and each.default_factory is dataclasses.MISSING
            and each.name != "model_type"
        ):
            config[each.name] = next((value for kind, value in BY_TYPE if kind in str(each.type)), None)
    return [config]
