import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shardd.host import HostFacts, LoadReader, MemoryReader, addresses, darwin, describe_host, rss_of
from shardd.host.cgroup import memory_available, memory_limit
from shardd.host.facts import chip_from_cpuinfo
from shardd.host.network import MOST_ADDRESSES, order_addresses

GIB = 1024**3


def test_this_host_is_described() -> None:
    facts = describe_host("Kitchen\x07 Mac")
    assert facts.name == "Kitchen Mac"
    assert facts.chip and facts.os and facts.cores >= 1 and facts.memory_total > 100_000_000
    assert describe_host().name
    assert hash(facts) == hash(HostFacts(facts.name, facts.chip, facts.os, facts.memory_total, facts.cores))


@pytest.mark.parametrize(
    ("text", "chip"),
    [
        ("processor : 0\nmodel name\t: AMD EPYC  9004\nmodel name : other", "AMD EPYC 9004"),
        ("processor : 0\nHardware : BCM2835\nModel : Raspberry Pi 5", "BCM2835"),
        ("model name :\n", None),
        ("", None),
    ],
)
def test_the_chip_is_found_on_linux(text: str, chip: str | None) -> None:
    assert chip_from_cpuinfo(text) == chip


def test_memory_readings_are_sane_and_the_second_has_a_rate() -> None:
    ticks = iter([10.0, 12.0, 12.0])
    reader = MemoryReader(clock=lambda: next(ticks))
    first, second, third = reader.read(), reader.read(), reader.read()
    assert 0 < first.available <= first.total
    assert first.swap_in_rate is None
    assert second.swap_in_rate is not None and second.swap_in_rate >= 0
    assert third.swap_in_rate is None, "no time has passed"


def make_group(folder: Path, limit: str, current: int, inactive: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {inactive}\nactive_file 7\n")


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    make_group(root / "a", str(4 * GIB), 3 * GIB, GIB // 2)
    make_group(root / "a" / "b", "max", GIB, 0)
    make_group(root / "a" / "b" / "c", str(8 * GIB), GIB, 0)
    own.write_text("0::/a/b/c\n")
    assert memory_limit(root, own) == 4 * GIB
    assert memory_available(root, own) == 3 * GIB // 2


@pytest.mark.parametrize("line", ["", "0::/\n", "0::/../../etc\n", "4:memory:/x\n", "nonsense"])
def test_no_limit_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "own").write_text(line)
    assert memory_limit(tmp_path, tmp_path / "own") is None
    assert memory_available(tmp_path, tmp_path / "absent") is None


def test_a_container_with_its_own_root_group_is_limited(tmp_path: Path) -> None:
    make_group(tmp_path, str(GIB), 2 * GIB, 0)
    (tmp_path / "own").write_text("0::/\n")
    assert memory_limit(tmp_path, tmp_path / "own") == GIB
    assert memory_available(tmp_path, tmp_path / "own") == 0


def test_the_load_is_a_percentage(monkeypatch: pytest.MonkeyPatch) -> None:
    times: Iterator[tuple[float, float]] = iter([(10.0, 100.0), (35.0, 150.0), (35.0, 150.0), (30.0, 160.0)])
    monkeypatch.setattr("shardd.host.load._times", lambda: next(times))
    reader = LoadReader()
    assert [reader.read(), reader.read(), reader.read()] == [50.0, 0.0, 0.0]


def test_the_real_load_is_within_bounds() -> None:
    assert 0 <= LoadReader().read() <= 100


def test_the_memory_of_a_process() -> None:
    own = rss_of(os.getpid())
    assert own is not None and own > 1_000_000
    assert rss_of(2**31 - 1) is None
    assert rss_of(-5) is None


def test_questions_for_macos_have_no_answer_elsewhere() -> None:
    if os.uname().sysname != "Darwin":
        assert darwin.sysctl_text("machdep.cpu.brand_string") is None
        assert darwin.swapped_in_pages() is None
    else:
        assert darwin.sysctl_text("machdep.cpu.brand_string")
        assert darwin.sysctl_number("hw.memsize") == describe_host().memory_total
        assert darwin.swapped_in_pages() is not None
        assert darwin.physical_footprint(os.getpid())


ORDERS: list[tuple[str, dict[str, Sequence[str]], tuple[str, ...]]] = [
    ("nothing", {}, ()),
    ("only loopback", {"lo": ["::1", "127.0.0.1"]}, ("127.0.0.1", "::1")),
    ("loopback goes", {"lo0": ["127.0.0.1"], "en0": ["192.168.1.7"]}, ("192.168.1.7",)),
    ("IPv4 first", {"en0": ["fd00::7", "10.0.0.2"]}, ("10.0.0.2", "fd00::7")),
    (
        "a Thunderbolt cable comes late, a container's network last",
        {"docker0": ["172.17.0.1"], "bridge0": ["169.254.8.1"], "en0": ["2001:db8::7"], "bridge100": ["192.168.64.1"]},
        ("2001:db8::7", "169.254.8.1", "172.17.0.1", "192.168.64.1"),
    ),
    ("IPv6 link-local is of no use to others", {"en0": ["fe80::1%en0"], "lo": ["::1"]}, ("::1",)),
    ("once each, nonsense goes", {"en0": ["10.0.0.2", "junk"], "en1": ["10.0.0.2", "0.0.0.0"]}, ("10.0.0.2",)),
]


@pytest.mark.parametrize(("found", "expected"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS])
def test_addresses_are_chosen_and_ordered(found: dict[str, Sequence[str]], expected: tuple[str, ...]) -> None:
    assert order_addresses(found) == expected


def test_addresses_are_bounded_and_this_host_has_some() -> None:
    assert len(order_addresses({"en0": [f"10.0.0.{number}" for number in range(100)]})) == MOST_ADDRESSES
    assert addresses()
