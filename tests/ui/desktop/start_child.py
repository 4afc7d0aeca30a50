"""The program without a core, as far as its first picture: writes the modules that were imported by then."""

from __future__ import annotations

import json
import sys

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

import app.cli.window
from app.cli.main import main
from app.core.errors import ShardboardError


class FirstPicture(QObject):
    seen = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not self.seen and event.type() == QEvent.Type.Paint and watched.inherits("QMainWindow"):
            self.seen = True
            QTimer.singleShot(0, self, self.tell)  # before what the program itself begins after its first picture
        return False

    def tell(self) -> None:
        print(json.dumps(sorted(sys.modules)), flush=True)
        QApplication.closeAllWindows()
        QApplication.quit()


def no_core(*_given: object) -> None:
    raise ShardboardError("There is no core in this test.")


if __name__ == "__main__":
    # The core's imports begin after a while in any case: on a slow machine before the picture.
    app.cli.window.own_controller = no_core  # type: ignore[assignment]
    application = QApplication(sys.argv[:1])
    watcher = FirstPicture()
    application.installEventFilter(watcher)
    raise SystemExit(main([]))
