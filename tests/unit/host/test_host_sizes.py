from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardd.host import SizeError, format_bytes, parse_size

READ = [
    ("0", 0),
    ("4096", 4096),
    ("12 B", 12),
    ("12 bytes", 12),
    ("8GB", 8_000_000_000),
    ("8 gb", 8_000_000_000),
    ("7.5g", 7_500_000_000),
    ("512 MiB", 512 * 1024**2),
    ("512mi", 512 * 1024**2),
    ("1.5 KiB", 1536),
    ("0.1k", 100),
    ("0.0001k", 0),
    (" 2 TB ", 2 * 10**12),
    ("1PiB", 1024**5),
    ("9223372036854775807", 2**63 - 1),
]
NUMBERS_ALONE = ["-1GB", "+1", "1e9", "1,5GB", "1 000", "0x10", "inf", "nan", "٣GB", "1.", ".5g"]
UNITS_ALONE = ["", " ", "GB", "8 XB", "8GBB", "8 G B", "8i", "8GB\0"]
TOO_LARGE = ["9223372036854775808", "10000 PB", "9" * 30]
WRITTEN = [
    (0, "0 B"),
    (1, "1 B"),
    (999, "999 B"),
    (1000, "1 KB"),
    (850_499, "850 KB"),
    (999_499, "999 KB"),
    (999_500, "1 MB"),
    (1_250_000, "1.2 MB"),
    (999_949_999, "999.9 MB"),
    (999_950_000, "1 GB"),
    (5_500_000_000, "5.5 GB"),
    (17_179_869_184, "17.2 GB"),
    (3 * 10**12, "3 TB"),
    (-1_200_000_000, "-1.2 GB"),
    (10**22, "10000 EB"),
]


@pytest.mark.parametrize(("text", "size"), READ)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", [*NUMBERS_ALONE, *UNITS_ALONE, *TOO_LARGE])
def test_what_is_no_size_is_refused_in_words(text: str) -> None:
    with pytest.raises(SizeError) as caught:
        parse_size(text)
    assert caught.value.cause.endswith(".")
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(("count", "text"), WRITTEN)
def test_sizes_are_written(count: int, text: str) -> None:
    assert format_bytes(count) == text


@given(st.integers(min_value=0, max_value=9 * 10**17))
def test_a_written_size_reads_back_close_to_itself(count: int) -> None:
    text = format_bytes(count)
    # Half of the last place: 0.05 of at least 1, and half a kilobyte below a megabyte.
    assert abs(parse_size(text) - count) <= max(count * 0.05, 500)
    assert len(text) <= len("888.8 MB")


@given(st.text(max_size=30))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    with suppress(SizeError):
        assert 0 <= parse_size(text) < 2**63
