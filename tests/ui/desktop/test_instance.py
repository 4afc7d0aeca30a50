"""One window for one folder: real processes, killed as they may be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtNetwork import QLocalSocket

from app.ui.desktop.instance import SingleInstance

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def make(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.ui.desktop.instance_child", str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield make
    for process in running:
        process.kill()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_start_raises_the_first_and_a_killed_one_is_taken_over(tmp_path: Path, start: Start) -> None:
    first = start(tmp_path)
    assert heard(first) == "held"
    second = start(tmp_path)
    assert heard(second) == "second True"
    assert heard(first) == "raised"
    assert second.wait(60) == 0
    first.kill()
    first.wait(60)
    third = start(tmp_path)
    assert heard(third) == "held"
    assert heard(start(tmp_path)) == "second True"
    assert heard(third) == "raised"


def test_folders_do_not_hinder_each_other(tmp_path: Path, qapp: QCoreApplication) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    instances = [SingleInstance(one), SingleInstance(other)]
    assert [each.first for each in instances] == [True, True]
    for each in instances:
        each.close()
    again = SingleInstance(one)
    assert again.first
    again.close()


def test_strange_words_on_the_socket_raise_nothing(tmp_path: Path, qapp: QCoreApplication) -> None:
    instance = SingleInstance(tmp_path)
    raised: list[bool] = []
    instance.raise_wanted.connect(lambda: raised.append(True))
    socket = QLocalSocket()
    socket.connectToServer(instance.name)
    assert socket.waitForConnected(5000)
    socket.write(b"x" * 100_000)
    socket.flush()
    for _ in range(2000):
        qapp.processEvents()
        if socket.state() == QLocalSocket.LocalSocketState.UnconnectedState:
            break
        socket.waitForDisconnected(10)
    assert socket.state() == QLocalSocket.LocalSocketState.UnconnectedState
    assert not raised
    instance.close()
