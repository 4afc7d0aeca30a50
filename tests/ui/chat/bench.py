"""What a token costs the window: python -m tests.ui.chat.bench [SECONDS]

An answer of 200 tokens/s goes through the real bridge into a shown chat. Printed: processor time of the GUI thread per
token (100 % would be 5 ms), the longest time the thread was busy at a stretch, and the cost of the end. Nothing is
asserted: figures depend on the machine.
"""

from __future__ import annotations

import sys
import time

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.ui.bridge import CoreBridge
from app.ui.chat import ChatPane
from app.ui.theme import Theme
from tests.ui.chat.fakes import ScriptedController, Step, result, token
from tests.ui.chat.shots import ANSWER, wait

RATE = 200
LONG_PARAGRAPH = "Every machine holds a contiguous range of layers and hands its hidden state on. " * 100
LONG_CODE = "```python\n" + "def layer(x, weights):\n    return x @ weights + 1  # one of many\n\n" * 110 + "```\n"


def script(text: str, seconds: float) -> list[Step]:
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    steps: list[Step] = []
    for number in range(round(seconds * RATE)):
        steps += [token(pieces[number % len(pieces)], 5.0 * number), 0.005]
    return [*steps, result("", round(seconds * RATE))]


def measure(name: str, text: str, seconds: float) -> None:
    controller = ScriptedController([script(text, seconds)])
    bridge = CoreBridge(lambda: controller)
    bridge.start()
    pane = ChatPane(bridge)
    pane.resize(420, 860)
    pane.show()
    wait(0.3)
    loop = QEventLoop()
    pane.writing_changed.connect(lambda on: None if on else QTimer.singleShot(300, loop.quit))
    longest = 0.0
    last = time.perf_counter()

    def beat() -> None:
        nonlocal longest, last
        now = time.perf_counter()
        longest, last = max(longest, now - last), now

    heart = QTimer()
    heart.timeout.connect(beat)
    heart.start(1)
    began, cpu = time.perf_counter(), time.thread_time()
    pane.send("Go")
    loop.exec()
    wall, cpu = time.perf_counter() - began, time.thread_time() - cpu
    heart.stop()
    tokens = round(seconds * RATE)
    print(
        f"{name:<16} {tokens} tokens, {len(text[: tokens * 4]):,} characters, {tokens / wall:.0f} tokens/s: "
        f"GUI thread {cpu * 1000 / tokens:.2f} ms a token ({cpu / wall:.0%}), longest pause {longest * 1000:.0f} ms",
        flush=True,
    )
    bridge.close()
    pane.close()
    pane.deleteLater()
    wait(0.05)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    app = QApplication([])
    Theme(app, "dark")
    for name, text in (
        ("mixed Markdown", ANSWER * 20),
        ("one paragraph", LONG_PARAGRAPH),
        ("one code block", LONG_CODE),
    ):
        measure(name, text, seconds)


if __name__ == "__main__":
    main()
