"""Each decoder against hostile input: short here, long by hand (`python -m tests.fuzz --minutes 10`)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.decoders import Decoder, Scratch, all_decoders
from tests.fuzz.mutate import mutated
from tests.fuzz.run import SEEDS, check, examples_of, file_name, fuzz


def names() -> list[str]:
    scratch = Scratch()
    try:
        return [decoder.name for decoder in all_decoders(scratch)]
    finally:
        scratch.close()


NAMES = names()
RUNS = 400


@pytest.fixture(scope="module")
def decoders() -> Iterator[dict[str, Decoder]]:
    scratch = Scratch()
    yield {decoder.name: decoder for decoder in all_decoders(scratch)}
    scratch.close()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_valid_is_read(decoders: dict[str, Decoder], name: str) -> None:
    """Else a decoder that refuses everything would pass all that follows."""
    for example in decoders[name].examples:
        decoders[name].decode(example)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_bytes_are_refused_in_words(decoders: dict[str, Decoder], name: str) -> None:
    decoder = decoders[name]
    kept = [finding for data in examples_of(decoder) if (finding := check(decoder, data))]
    assert not kept
    assert not list(fuzz(decoder, 0, max(10, round(RUNS * decoder.share))))


@pytest.mark.parametrize("name", NAMES)
def test_hypothesis_finds_nothing(decoders: dict[str, Decoder], name: str) -> None:
    """The same property, with inputs that hypothesis makes smaller where it fails."""
    decoder = decoders[name]
    examples = examples_of(decoder)
    changed = st.integers(0, 2**32).map(lambda seed: mutated(examples, random.Random(seed), is_json=decoder.is_json))

    @settings(max_examples=25, database=None, derandomize=True)
    @given(st.one_of(changed, st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
    def holds(data: bytes) -> None:
        assert check(decoder, data) is None

    holds()


def test_the_check_finds_what_it_is_for() -> None:
    broken = Decoder("broken", lambda data: {}["a"], (ValueError,), (b"a",))
    finding = check(broken, b"x")
    assert finding is not None
    assert "KeyError" in finding.what


def test_the_same_seed_gives_the_same_inputs() -> None:
    first = [mutated((b'{"a": [1, 2]}',), random.Random(seed), is_json=True) for seed in range(200)]
    again = [mutated((b'{"a": [1, 2]}',), random.Random(seed), is_json=True) for seed in range(200)]
    assert first == again
    assert len(set(first)) > 100


def test_every_kept_seed_belongs_to_a_decoder() -> None:
    known = {file_name(name) for name in NAMES}
    assert {path.name.split(".")[0] for path in SEEDS.glob("*.bin")} <= known
