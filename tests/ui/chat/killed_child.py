"""A chat whose answer never ends, for a test that kills it: python -m tests.ui.chat.killed_child DATABASE

Prints a line at each batch of text: seconds, and how many characters there are.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.ui.bridge import CoreBridge
from app.ui.chat import ChatPane
from tests.ui.chat.fakes import ScriptedController, Step, token


def main() -> None:
    app = QApplication([])
    steps: list[Step] = []
    for number in range(20_000):
        steps += [token(f"{number} ", 5.0 * number), 0.005]
    controller = ScriptedController([steps])
    bridge = CoreBridge(lambda: controller)
    pane = ChatPane(bridge, StoreShelf(ConversationStore(Path(sys.argv[1]))))
    bridge.ready.connect(lambda: pane.send("Go on and on"))
    pane.desk.progressed.connect(lambda writing: print(time.monotonic(), len(writing.text), flush=True))
    pane.show()
    bridge.start()
    app.exec()


if __name__ == "__main__":
    main()
