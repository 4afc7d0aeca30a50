import json
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from shardd.store import ManifestError, ShardManifest, UnitReference
from shardd.store.manifest import LARGEST_MANIFEST, LARGEST_UNIT, MOST_LAYERS

A, B, C = "a" * 64, "b" * 64, "c" * 64
SHARD = ShardManifest("tinychat", C, 2, 3, 8, (UnitReference("layer.2", A, 10), UnitReference("layer.3", B, 20)))

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
units = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True),
    st.tuples(digests, st.integers(1, LARGEST_UNIT)),
    min_size=1,
    max_size=6,
)


@st.composite
def manifests(draw: st.DrawFn) -> ShardManifest:
    first, last, beyond = sorted(draw(st.tuples(*[st.integers(0, MOST_LAYERS - 1)] * 3)))
    found = {digest: (name, size) for name, (digest, size) in draw(units).items()}
    references = tuple(UnitReference(name, digest, size) for digest, (name, size) in found.items())
    model = draw(st.text(min_size=1).map(lambda text: f"m{text}"))
    return ShardManifest(model, draw(digests), first, last, beyond + 1, references)


@settings(deadline=None)
@given(manifests())
def test_a_manifest_survives_json_and_keeps_its_identity(manifest: ShardManifest) -> None:
    again = ShardManifest.from_json(manifest.to_json().encode())
    assert again == manifest
    assert again.shard_id == manifest.shard_id
    assert again.to_json() == manifest.to_json()


def test_the_identity_is_the_same_for_ever() -> None:
    # Another form would orphan every shard on every disk.
    units = f'{{"bytes":10,"digest":"{A}","name":"layer.2"}},{{"bytes":20,"digest":"{B}","name":"layer.3"}}'
    form = f'{{"blueprint":"{C}","first":2,"last":3,"layer_count":8,"model":"tinychat","units":[{units}]}}'
    assert SHARD.to_json() == form
    assert SHARD.shard_id == blake3(form.encode()).hexdigest()


def test_a_manifest_knows_what_it_needs() -> None:
    assert SHARD.digests == {A, B, C}
    assert SHARD.total_bytes == 30
    tied = ShardManifest("m", C, 0, 0, 1, (UnitReference("embedding", A, 7), UnitReference("head", A, 7)))
    assert tied.total_bytes == 7


def test_a_model_s_name_is_cleaned() -> None:
    assert ShardManifest("a\x1b[2J\n\u202eb", C, 0, 0, 1, SHARD.units).model == "a[2J b"


CHANGES: list[tuple[str, Any]] = [
    ("model", ""),
    ("model", "\x00"),
    ("model", 5),
    ("model", None),
    ("blueprint", "C" * 64),
    ("blueprint", "c" * 63),
    ("blueprint", "../" + "c" * 61),
    ("blueprint", "c" * 64 + "\n"),
    ("first", -1),
    ("first", 4),
    ("first", True),
    ("first", 2.0),
    ("first", "2"),
    ("last", 8),
    ("layer_count", 0),
    ("layer_count", 10**6),
    ("layer_count", 10**400),
    ("units", []),
    ("units", {}),
    ("units", None),
    ("units", ["x"]),
    ("units", [{"name": "layer.2", "digest": A}]),
    ("units", [{"name": "layer.2", "digest": A, "bytes": 1, "path": "/etc"}]),
    ("units", [{"name": "layer.2", "digest": A, "bytes": 0}]),
    ("units", [{"name": "layer.2", "digest": A, "bytes": -1}]),
    ("units", [{"name": "layer.2", "digest": A, "bytes": LARGEST_UNIT + 1}]),
    ("units", [{"name": "layer.2", "digest": A, "bytes": 1.5}]),
    ("units", [{"name": "layer.2", "digest": "x" * 64, "bytes": 1}]),
    ("units", [{"name": "../layer", "digest": A, "bytes": 1}]),
    ("units", [{"name": "", "digest": A, "bytes": 1}]),
    ("units", [{"name": "x" * 129, "digest": A, "bytes": 1}]),
    ("units", [{"name": "a", "digest": A, "bytes": 1}, {"name": "a", "digest": B, "bytes": 1}]),
    ("units", [{"name": "a", "digest": A, "bytes": 1}, {"name": "b", "digest": A, "bytes": 2}]),
    ("units", [{"name": f"u{number}", "digest": A, "bytes": 1} for number in range(4097)]),
    ("extra", 1),
]


@pytest.mark.parametrize(("key", "value"), CHANGES)
def test_a_manifest_out_of_bounds_is_refused(key: str, value: object) -> None:
    with pytest.raises(ManifestError) as caught:
        ShardManifest.from_json(json.dumps({**json.loads(SHARD.to_json()), key: value}))
    assert caught.value.cause.endswith(".") and caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "{",
        b"\xff\xff",
        "[" * 100_000,
        SHARD.to_json()[:-1],
        SHARD.to_json() + " x",
        SHARD.to_json().replace('"first":2', '"first":2,"first":3'),
        SHARD.to_json().replace('"first":2', '"first":NaN'),
        SHARD.to_json().replace('"first":2', f'"first":{"9" * 5000}'),
        " " * LARGEST_MANIFEST + SHARD.to_json(),
    ],
)
def test_what_is_no_manifest_is_refused(text: str | bytes) -> None:
    with pytest.raises(ManifestError):
        ShardManifest.from_json(text)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_any_json_in_any_field_is_refused_or_fits(value: object) -> None:
    record = json.loads(SHARD.to_json())
    for key in record:
        try:
            manifest = ShardManifest.from_json(json.dumps({**record, key: value}))
        except ManifestError:
            continue
        assert ShardManifest.from_json(manifest.to_json()) == manifest
