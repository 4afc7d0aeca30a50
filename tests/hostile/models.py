"""Model directories that want harm: each made here, from the built-in model or from nothing."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.library.models import built_in_model

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Hostile:
    """described, loaded: whether a survey and the tokenizer may take it, because there it is harmless."""

    name: str
    make: Callable[[Path, Path], None]
    described: bool = False
    loaded: bool = False


class _Trap:
    """What runs when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.canary}",))


def code(canary: Path) -> str:
    ran = f"import pathlib\npathlib.Path({str(canary)!r}).write_text('code ran')"
    return f"{ran}\nclass Tokenizer: pass\nModel = Tokenizer\n"


# -- pieces ----------------------------------------------------------------------------------------------------------


def good(folder: Path) -> None:
    """The built-in model, its weights by a link."""
    folder.mkdir()
    for file in built_in_model().iterdir():
        if file.name == WEIGHTS:
            (folder / WEIGHTS).symlink_to(file)
        else:
            shutil.copy(file, folder / file.name)


def change(folder: Path, name: str, **fields: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def only_header(folder: Path, header: bytes, data: bytes = b"", claimed: int | None = None) -> None:
    """The built-in model with a weight file of another header."""
    good(folder)
    (folder / WEIGHTS).unlink()
    size = len(header) if claimed is None else claimed
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", size) + header + data)


def tensor(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def template(text: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, canary: Path) -> None:
        good(folder)
        filled = text.replace("CANARY", str(canary))
        (folder / "chat_template.jinja").write_text(filled)
        change(folder, "tokenizer_config.json", chat_template=filled)

    return make


def config(**fields: Any) -> Callable[[Path, Path], None]:
    def make(folder: Path, _: Path) -> None:
        good(folder)
        change(folder, "config.json", **fields)

    return make


def tokenizer_config(**fields: Any) -> Callable[[Path, Path], None]:
    def make(folder: Path, canary: Path) -> None:
        good(folder)
        change(folder, "tokenizer_config.json", **fields)
        (folder / "harm.py").write_text(code(canary))

    return make


def header(entries: dict[str, Any], data: bytes = b"") -> Callable[[Path, Path], None]:
    return lambda folder, _: only_header(folder, json.dumps(entries).encode(), data)


def index(file_name: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, _: Path) -> None:
        good(folder)
        (folder.parent / "outside.safetensors").write_bytes(b"secret")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": file_name}}))

    return make


# -- the directories -------------------------------------------------------------------------------------------------


def pickles_alone(folder: Path, canary: Path) -> None:
    good(folder)
    (folder / WEIGHTS).unlink()
    for name in ("pytorch_model.bin", "model.pt", "model.pkl"):
        (folder / name).write_bytes(pickle.dumps(_Trap(canary)))


def pickle_as_weights(folder: Path, canary: Path) -> None:
    good(folder)
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).write_bytes(pickle.dumps(_Trap(canary)))


def pickles_beside(folder: Path, canary: Path) -> None:
    good(folder)
    for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl", "optimizer.pt"):
        (folder / name).write_bytes(pickle.dumps(_Trap(canary)))


def code_beside(folder: Path, canary: Path) -> None:
    good(folder)
    for name in (
        "modeling_harm",
        "configuration_harm",
        "tokenization_harm",
        "model",
        "__init__",
        "sitecustomize",
        "conftest",
        "llama",
        "setup",
    ):
        (folder / f"{name}.py").write_text(code(canary))
    mapped = {"AutoTokenizer": ["tokenization_harm.Tokenizer", None], "AutoConfig": "configuration_harm.Model"}
    change(folder, "config.json", auto_map=mapped | {"AutoModelForCausalLM": "modeling_harm.Model"})
    change(folder, "tokenizer_config.json", auto_map=mapped, tokenizer_class="HarmTokenizer")


def model_file(folder: Path, canary: Path) -> None:
    good(folder)
    (folder / "model.py").write_text(code(canary))
    change(folder, "config.json", model_file="model.py")


def zip_bomb(folder: Path, _: Path) -> None:
    good(folder)
    (folder / WEIGHTS).unlink()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", bytes(64 << 20))
    for name in (WEIGHTS, "tokenizer.json", "tokenizer.model"):
        (folder / name).write_bytes(packed.getvalue())


def links_outside(folder: Path, _: Path) -> None:
    good(folder)
    for name, target in ((WEIGHTS, "/dev/zero"), ("tokenizer.json", "/dev/zero"), ("config.json", "/etc/passwd")):
        (folder / name).unlink()
        (folder / name).symlink_to(target)


def link_to_endless(folder: Path, _: Path) -> None:
    good(folder)
    for name in (WEIGHTS, "tokenizer_config.json"):
        (folder / name).unlink()
        (folder / name).symlink_to("/dev/zero")


def pipes(folder: Path, _: Path) -> None:
    """Reading one of these would wait for ever."""
    good(folder)
    for name in ("tokenizer.json", WEIGHTS):
        (folder / name).unlink()
        os.mkfifo(folder / name)


def flood_config(folder: Path, _: Path) -> None:
    good(folder)
    (folder / "config.json").write_text('{"model_type":"llama","x":[' + "[]," * 1_000_000 + "[]]}")


def flood_header(folder: Path, _: Path) -> None:
    only_header(folder, b'{"__metadata__":{"x":[' + b"[]," * 4_000_000 + b"[]]}}")


def flood_index(folder: Path, _: Path) -> None:
    good(folder)
    text = '{"weight_map":{' + ",".join(f'"{number}":{{}}' for number in range(1_000_000)) + "}}"
    (folder / "model.safetensors.index.json").write_text(text)


def flood_names(folder: Path, _: Path) -> None:
    """Half a million tensors that hold nothing."""
    entries = ",".join(f'"t{number}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for number in range(250_000))
    only_header(folder, b"{" + entries.encode() + b"}")


def wide_header(folder: Path, _: Path) -> None:
    """One character makes Python take four bytes for each of the others."""
    only_header(folder, b'{"__metadata__":{"x":"' + "😀".encode() + b"a" * (15 << 20) + b'"}}')


def giant_vocabulary(folder: Path, _: Path) -> None:
    good(folder)
    words = ",".join(f'"w{number}":{number}' for number in range(3_500_000))
    start = '{"version":"1.0","model":{"type":"BPE","merges":[],"vocab":{'
    (folder / "tokenizer.json").write_text(f"{start}{words}}}}}}}")


def deep(folder: Path, _: Path) -> None:
    good(folder)
    (folder / "config.json").write_text('{"model_type":"llama","a":' + "[" * 100_000 + "]" * 100_000 + "}")
    (folder / "tokenizer_config.json").write_text('{"a":' * 100_000)


_ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
_DOUBLING = "{% set n = namespace(x='aaaaaaaa') %}{% for a in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}"
_ESCAPE = (
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}"
    "{{ ().__class__.__base__.__subclasses__() }}{{ self._TemplateReference__context }}"
    "{{ messages.__class__.__mro__ }}{{ raise_exception.__globals__ }}{{ namespace.__init__.__globals__ }}"
)
_BILLION = 10**9

DIRECTORIES = (
    Hostile("pickles-alone", pickles_alone, loaded=True),
    Hostile("pickle-as-weights", pickle_as_weights, loaded=True),
    Hostile("pickles-beside", pickles_beside, described=True, loaded=True),
    Hostile("code-beside", code_beside, described=True),
    Hostile("model-file", model_file, loaded=True),
    Hostile("zip-bomb", zip_bomb),
    Hostile("links-outside", links_outside),
    Hostile("link-to-endless", link_to_endless),
    Hostile("pipes", pipes),
    Hostile("deep", deep),
    Hostile("flood-config", flood_config),
    Hostile("flood-header", flood_header, loaded=True),
    Hostile("flood-index", flood_index, loaded=True),
    Hostile("flood-names", flood_names, loaded=True),
    Hostile("wide-header", wide_header, loaded=True),
    Hostile("giant-vocabulary", giant_vocabulary, described=True),
    Hostile("huge-header-claim", lambda folder, _: only_header(folder, b"{}", claimed=2**63), loaded=True),
    Hostile("header-beyond-file", lambda folder, _: only_header(folder, b"{}", claimed=10**7), loaded=True),
    Hostile("header-no-json", lambda folder, _: only_header(folder, b"{" * 64), loaded=True),
    Hostile("overlapping", header({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)}, bytes(6)), loaded=True),
    Hostile("gap", header({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 8, 12)}, bytes(12)), loaded=True),
    Hostile("offset-beyond", header({"a": tensor("U8", [2**31 - 1], 0, 2**31 - 1)}, bytes(9)), loaded=True),
    Hostile("shape-overflow", header({"a": tensor("F32", [2**31 - 1] * 8, 0, 0)}), loaded=True),
    Hostile("negative-shape", header({"a": tensor("F32", [-1, -4], 0, 16)}, bytes(16)), loaded=True),
    Hostile("tensor-names", header({"../../etc/passwd\x00": tensor("U8", [1], 0, 1)}, b"a"), loaded=True),
    Hostile("index-traversal", index("../outside.safetensors"), loaded=True),
    Hostile("index-absolute", index("/etc/passwd"), loaded=True),
    Hostile("nan-config", config(hidden_size=float("nan"), rope_theta=float("inf"), vocab_size=-1)),
    Hostile("billion-layers", config(num_hidden_layers=_BILLION), loaded=True),
    Hostile("many-layers", config(num_hidden_layers=2000), loaded=True),
    Hostile("billion-wide", config(hidden_size=_BILLION, vocab_size=10**15, intermediate_size=10**18), loaded=True),
    Hostile("model-type-is-a-module", config(model_type="..subprocess"), loaded=True),
    Hostile("model-type-is-a-path", config(model_type="../../harm"), loaded=True),
    Hostile("model-type-exits", config(model_type="olmo"), loaded=True),
    Hostile("strange-quantisation", config(quantization={"bits": -4, "group_size": 0}), described=True, loaded=True),
    Hostile("module-of-templates", tokenizer_config(chat_template_type="..utils"), described=True),
    Hostile("module-of-parsers", tokenizer_config(tool_parser_type="harm/../../harm"), described=True),
    Hostile("files-elsewhere", tokenizer_config(tokenizer_file="/etc/passwd", vocab_file="/dev/zero"), True, True),
    Hostile("endless-template", template(_ENDLESS), described=True),
    Hostile("doubling-template", template(_DOUBLING), described=True),
    Hostile("multiplying-template", template("{{ 'a' * 10 ** 10 }}"), described=True),
    Hostile("power-template", template("{{ 9 ** (9 ** 9) }}"), described=True),
    Hostile("recursive-template", template("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"), described=True),
    Hostile("escaping-template", template(_ESCAPE), described=True),
    Hostile("including-template", template("{% include '/etc/passwd' %}"), described=True),
    Hostile("broken-template", template("{% for %}"), described=True),
)
