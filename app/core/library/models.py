"""Models on this machine's disk: the built-in one, the Hugging Face cache, LM Studio's folder, added folders."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ShardboardError
from app.core.text import phrase

BUILT_IN = "shardboard-tiny"
_NAME_THE_FOLDER = phrase("Name the folder that holds config.json and *.safetensors.")


@dataclass(frozen=True, slots=True)
class FoundModel:
    """bytes: of the weight files. source: "built-in", "Hugging Face cache", "LM Studio" or "folder"."""

    name: str
    directory: Path
    bytes: int
    source: str


def resources_directory() -> Path:
    """Where this program's own data lies: beside the packages."""
    return Path(__file__).resolve().parents[3] / "resources"


def built_in_model() -> Path:
    return resources_directory() / "models" / BUILT_IN


def find_models(
    folders: Sequence[Path] = (), downloads: Path | None = None, usual: Path | None = None
) -> tuple[FoundModel, ...]:
    """Every model on the usual places, in these folders and among our downloads, by name. usual: where downloads went
    before the settings named another folder.

    Looks at names and sizes only. A folder may be a model, or hold some, or hold owners' folders of some.
    """
    found = [
        *_in([built_in_model()], "built-in"),
        *_in(_owned(downloads), "Shardboard"),
        *_in(_owned(usual), "Shardboard"),
        *_in(_hugging_face_snapshots(), "Hugging Face cache"),
        *_in(_lm_studio_models(), "LM Studio"),
        *_in([path for folder in folders for path in (folder, *_children(folder), *_owned(folder))], "folder"),
    ]
    unique: dict[str, FoundModel] = {}
    for model in found:
        unique.setdefault(model.name, model)
    return tuple(sorted(unique.values(), key=lambda model: model.name.lower()))


def resolve_model(
    name_or_directory: str, folders: Sequence[Path] = (), downloads: Path | None = None, usual: Path | None = None
) -> Path:
    """A model directory from what a person wrote, as find_models has them. Raises ShardboardError with what to do."""
    path = Path(os.path.expanduser(name_or_directory))
    if name_or_directory and path.is_dir():
        return _model_directory(path)
    if path.is_file() or path.is_absolute():
        cause = phrase("{path} is a file, not a folder.", path=path)
        raise ShardboardError(cause if path.exists() else phrase("{path} does not exist.", path=path), _NAME_THE_FOLDER)
    models = find_models(folders, downloads, usual)
    for model in models:
        if name_or_directory in (model.name, model.name.rpartition("/")[2]):
            return model.directory
    if name_or_directory == "built-in" and built_in_model().is_dir():
        return built_in_model()
    names = {each.lower(): model.name for model in models for each in (model.name, model.name.rpartition("/")[2])}
    close = difflib.get_close_matches(name_or_directory.lower(), names, 5, 0.4)
    near = list(dict.fromkeys(names[each] for each in close))[:3] or [model.name for model in models][:5]
    raise ShardboardError(
        phrase('There is no model "{name_or_directory}" here.', name_or_directory=name_or_directory),
        phrase("Name a folder, or one of: {names}.", names=", ".join(near)) if near else "",
    )


def _model_directory(path: Path) -> Path:
    lacks = "config.json" if not (path / "config.json").is_file() else phrase("weights (*.safetensors)")
    if lacks == "config.json" or not any(path.glob("*.safetensors")):
        raise ShardboardError(
            phrase("{path} is not a model: it has no {lacks}.", path=path, lacks=lacks), _NAME_THE_FOLDER
        )
    return path.resolve()


def _in(directories: Iterator[Path] | Sequence[Path], source: str) -> Iterator[FoundModel]:
    for directory in directories:
        with contextlib.suppress(OSError):
            weights = sum(file.stat().st_size for file in directory.glob("*.safetensors"))
            if weights and (directory / "config.json").is_file():
                yield FoundModel(_name(directory, source), directory, weights, source)


def _name(directory: Path, source: str) -> str:
    """A snapshot in the Hugging Face cache is called after its repository: models--owner--name/snapshots/revision."""
    if directory.parent.name == "snapshots":
        return directory.parent.parent.name.removeprefix("models--").replace("--", "/")
    return f"{directory.parent.name}/{directory.name}" if source == "Shardboard" else directory.name


def _children(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.is_dir())
    return []


def _owned(folder: Path | None) -> list[Path]:
    """folder/owner/name, but for what is still arriving."""
    owners = [path for path in _children(folder) if not path.name.startswith(".")] if folder else []
    return [path for owner in owners for path in _children(owner)]


def _hugging_face_snapshots() -> Iterator[Path]:
    """Of each repository the revision that is its main branch, then the others."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or os.path.join(cache, "huggingface")
    hub = Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")))
    for repository in _children(hub):
        if repository.name.startswith("models--"):
            main = ""
            with contextlib.suppress(OSError, ValueError):
                main = (repository / "refs" / "main").read_text().strip()
            yield from sorted(_children(repository / "snapshots"), key=lambda path: path.name != main)


def _lm_studio_models() -> Iterator[Path]:
    for root in (Path.home() / ".lmstudio" / "models", Path.home() / ".cache" / "lm-studio" / "models"):
        for owner in _children(root):
            yield from _children(owner)
