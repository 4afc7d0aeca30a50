"""Write the model in the Hugging Face layout."""

import json
from pathlib import Path

from safetensors.torch import save_file
from tokenizers import Tokenizer

from . import tokenizer as bpe
from .chat import END, END_OF_TEXT
from .model import Llama
from .settings import Shape


def export(model: Llama, tokenizer: Tokenizer, shape: Shape, folder: Path) -> None:
    """Weights in float32, which is the fastest on a CPU, both configurations, and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor.detach().float().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    ends = {
        "bos_token_id": None,
        "eos_token_id": [tokenizer.token_to_id(END), tokenizer.token_to_id(END_OF_TEXT)],
        "pad_token_id": tokenizer.token_to_id(END_OF_TEXT),
    }
    _write(folder / "config.json", _config(shape) | ends)
    _write(folder / "generation_config.json", ends | {"do_sample": True, "temperature": 0.7, "top_p": 0.9})
    bpe.save(tokenizer, folder, shape.positions)


def _config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
