"""How long the window stands still for each hostile message: python -m tests.hostile.bench [WORDS]

Prints the longest stretch of processor time of the window's thread, the worst last. Nothing is asserted.
"""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication

from app.ui.theme import Theme
from tests.hostile.messages import corpus
from tests.hostile.watching import Stage


def main() -> None:
    words = sys.argv[1] if len(sys.argv) > 1 else ""
    app = QApplication([])
    Theme(app, "dark")
    stage = Stage()
    rows: list[tuple[float, str]] = []
    for name, text in corpus("http://127.0.0.1:9"):
        if words in name:
            for answer in (True, False):
                kind = "answer" if answer else "question"
                rows.append((stage.longest_pause(text, answer=answer), f"{kind:8} {len(text):>9,} {name}"))
    for pause, what in sorted(rows):
        print(f"{pause * 1000:7.0f} ms  {what}")
    above = sum(pause > 0.1 for pause, _ in rows)
    print(f"{len(rows)} messages, {above} above 100 ms, median {sorted(rows)[len(rows) // 2][0] * 1000:.0f} ms")


if __name__ == "__main__":
    main()
