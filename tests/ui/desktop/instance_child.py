"""A first window, as far as one instance goes: holds the folder given, writes "held", "raised" and "second"."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from app.ui.desktop.instance import SingleInstance

if __name__ == "__main__":
    app = QCoreApplication([])
    instance = SingleInstance(Path(sys.argv[1]))
    if not instance.first:
        print("second", instance.ask_to_raise(), flush=True)
        raise SystemExit(0)
    instance.raise_wanted.connect(lambda: print("raised", flush=True))
    QTimer.singleShot(0, lambda: print("held", flush=True))
    raise SystemExit(app.exec())
