"""What a model weighs, wherever it is: on this disk, on the hub, or in a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import ShardboardError
from app.core.generation.limits import LARGEST_CONFIG
from app.core.library.hub import repository_name
from app.core.library.tables import is_table, read_table
from shardd.host import atomic_write, private_directory
from shardd.model.inventory import Inventory
from shardd.model.survey import Description, survey, survey_description

if TYPE_CHECKING:
    from app.core.library.hub import HubRepository
    from app.core.library.library import Library


@dataclass(frozen=True, slots=True)
class Weighed:
    """where: a path or an address with its commit. directory: None where its files are not here.

    chat_template: whether it has one; None where that is not known.
    """

    name: str
    inventory: Inventory
    where: str
    directory: Path | None
    chat_template: bool | None
    note: str = ""


def weigh(text: str, library: Library, bits: int | None = None, config: Path | None = None) -> Weighed:
    """Blocks: on the disk, and for a model that is only on the hub on the network, where it reads headers alone.

    Raises:
        SentenceError: there is no such model anywhere, or it cannot be split.
    """
    if is_table(text):
        table = read_table(Path(text), bits, config)
        return Weighed(table.name, table.inventory, text, None, None, table.note)
    try:
        directory = library.resolve(text)
    except ShardboardError:
        repo = repository_name(text)
        if repo is None or Path(text).exists():
            raise
        return _on_hub(repo, library)
    template = _has_template({path.name for path in directory.iterdir()}, directory / "tokenizer_config.json")
    return Weighed(directory.name, survey(directory), str(directory), directory, template)


def _on_hub(repo: str, library: Library) -> Weighed:
    repository = library.hub.repository(repo)
    inventory = survey_description(_description(repository, library))
    names = {file.path for file in repository.files}
    template = True if _has_template(names, None) else None
    if template is None and "tokenizer_config.json" in names:
        template = b'"chat_template"' in library.hub.small_file(repository, "tokenizer_config.json")
    where = f"{library.hub.page(repo)} at {repository.commit[:12]}"
    return Weighed(repo, inventory, where, None, bool(template))


def _description(repository: HubRepository, library: Library) -> Description:
    """From the last time, where this commit was looked at before."""
    file = private_directory(library.headers) / f"{repository.repo.replace('/', '--')}@{repository.commit}.json"
    try:
        known = json.loads(file.read_text())
        tensors = tuple((str(n), str(d), tuple(map(int, s))) for n, d, s in known["tensors"])
        return Description(repository.repo, known["config"], tensors)
    except (OSError, ValueError, KeyError, TypeError):
        described = library.hub.description(repository)
        atomic_write(file, json.dumps({"config": described.config, "tensors": described.tensors}).encode())
        return described


def _has_template(names: set[str], tokenizer_config: Path | None) -> bool:
    if names & {"chat_template.jinja", "chat_template.json"}:
        return True
    if tokenizer_config is None or not tokenizer_config.is_file():
        return False
    with tokenizer_config.open("rb") as file:
        return b'"chat_template"' in file.read(LARGEST_CONFIG)
