"""Settings under a name, to be used in any conversation. Pure; as JSON they lie in the conversations' file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, cast

from app.core.chat.conversation import Settings
from app.core.errors import ShardboardError
from app.core.generation.request import Sampling
from app.core.text import phrase

NAME_LIMIT: Final = 40


@dataclass(frozen=True, slots=True)
class Preset:
    """built_in: comes with Shardboard; it leaves the system prompt as it is, and cannot be deleted."""

    name: str
    settings: Settings
    built_in: bool = False


BUILT_IN: Final = (
    Preset("Exact", Settings(), True),
    Preset("Balanced", Settings(sampling=Sampling(temperature=0.7, top_p=0.95)), True),
    Preset("Inventive", Settings(sampling=Sampling(temperature=1.0, top_p=0.98, min_p=0.05)), True),
)


def applied(settings: Settings, preset: Preset) -> Settings:
    """The conversation's settings after this preset was chosen."""
    if preset.built_in:
        return replace(settings, sampling=preset.settings.sampling)
    return preset.settings


def matching(presets: Sequence[Preset], settings: Settings) -> str:
    """The name of the preset that these settings are; "" where they are none."""
    return next((preset.name for preset in reversed(presets) if applied(settings, preset) == settings), "")


def with_preset(presets: Sequence[Preset], name: str, settings: Settings) -> tuple[Preset, ...]:
    """With these settings under that name, in the place of one that has it. Raises ShardboardError."""
    name = " ".join(name.split())[:NAME_LIMIT].strip()
    if not name:
        raise ShardboardError("A preset needs a name.", "Write one.")
    if any(preset.name.lower() == name.lower() and preset.built_in for preset in presets):
        raise ShardboardError(
            phrase("{name} comes with Shardboard and stays as it is.", name=name), "Choose another name."
        )
    kept = [preset for preset in presets if preset.name.lower() != name.lower()]
    return (*kept, Preset(name, settings))


def without_preset(presets: Sequence[Preset], name: str) -> tuple[Preset, ...]:
    return tuple(preset for preset in presets if preset.built_in or preset.name != name)


def to_json(presets: Sequence[Preset]) -> list[dict[str, Any]]:
    return [
        {"name": preset.name, "settings": settings_json(preset.settings)} for preset in presets if not preset.built_in
    ]


def from_json(found: object) -> tuple[Preset, ...]:
    """The built-in ones, and what of this can be read."""
    mine: list[Preset] = []
    for each in cast("list[object]", found) if isinstance(found, list) else []:
        if isinstance(each, dict):
            entry = cast("dict[str, Any]", each)
            mine.append(Preset(str(entry.get("name", "")), settings_from(entry.get("settings"))))
    return (*BUILT_IN, *(preset for preset in mine if preset.name))


def settings_json(settings: Settings) -> dict[str, Any]:
    return {
        "system_prompt": settings.system_prompt,
        "sampling": {
            name: value for name, value in asdict(settings.sampling).items() if name not in ("logit_bias", "logprobs")
        },
        "max_tokens": settings.max_tokens,
        "when_full": settings.when_full,
    }


def settings_from(found: object) -> Settings:
    """What another version, or another program, wrote: values of the wrong kind or out of bounds become the default."""
    plain = cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
    max_tokens: Any = plain.get("max_tokens")
    return Settings(
        str(plain.get("system_prompt") or ""),
        sampling_from(plain.get("sampling")),
        int(max_tokens) if _whole(max_tokens) and 1 <= max_tokens <= 1 << 20 else Settings().max_tokens,
        "forget" if plain.get("when_full") == "forget" else "stop",
    )


_BOUNDS: Final = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 10_000),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (1.0, 2.0),
    "repetition_context": (0, 1 << 20),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "seed": (0, 2**32 - 1),
}


def sampling_from(found: object) -> Sampling:
    plain = cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
    taken: dict[str, Any] = {}
    for each in fields(Sampling):
        if each.name not in _BOUNDS or each.name not in plain:
            continue
        value, (low, high) = plain[each.name], _BOUNDS[each.name]
        number = _whole(value) or (isinstance(value, float) and isinstance(low, float))
        if number and low <= value <= high:
            taken[each.name] = value
    if isinstance(plain.get("speculate"), bool):
        taken["speculate"] = plain["speculate"]
    return Sampling(**taken)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
