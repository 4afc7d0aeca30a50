"""Every page and every dialog of the window, opened one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QWidget

from app.core.errors import ShardboardError
from app.ui.chat.message import UserMessage
from app.ui.cluster.add_machine import AddMachineDialog
from app.ui.desktop.about import AboutDialog
from app.ui.desktop.security_page import SecurityDialog
from app.ui.desktop.shortcuts_page import ShortcutsDialog
from app.ui.first_start import FirstStartDialog, ReachDialog, open_first_start
from app.ui.models.ask import ask
from app.ui.models.token_dialog import TokenDialog
from app.ui.window import PLACES, MainWindow

Scene = tuple[str, QWidget, Callable[[], object]]


def pause(ms: int) -> None:
    """Lets the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def scenes(window: MainWindow) -> Iterator[Scene]:
    """Name, top-level widget, and what closes it. One is open at a time; the next step of the iterator closes it."""
    for name, open_it in _all(window):
        top, close = open_it()
        pause(30)
        yield name, top, close
        close()
        pause(10)


def _all(window: MainWindow) -> Iterator[tuple[str, Callable[[], tuple[QWidget, Callable[[], object]]]]]:
    for place in PLACES:
        yield place, lambda place=place: (window, _went(window, place))
    for view in ("Links", "Shards"):
        yield f"Cluster, {view}", lambda view=view: (window, _viewed(window, view))
    yield "Save a placement", lambda: _dialog(_saving(window))
    yield "Models, hub", lambda: (window, _hub(window))
    yield "Chat, latency lane", lambda: (window, _lane(window))
    yield "Chat, a message is edited", lambda: (window, _editing(window))
    yield "an error above the page", lambda: (window, _error(window))
    yield "Add machine", lambda: _dialog(AddMachineDialog(window.bridge, window))
    yield "Add machine, an error", lambda: _dialog(_failing(AddMachineDialog(window.bridge, window)))
    yield "Hub token", lambda: _dialog(TokenDialog(window.bridge, window))
    yield "Keyboard shortcuts", lambda: _dialog(ShortcutsDialog(window))
    yield "Security", lambda: _dialog(SecurityDialog(window))
    yield "About", lambda: _dialog(AboutDialog(window))
    yield "Why can't I see my Mac?", lambda: _dialog(ReachDialog(window.bridge, window))
    yield "First start", lambda: _dialog(open_first_start(window, window.bridge, window.settings.chosen, window.go))
    for step in (1, 2):
        yield f"First start, step {step + 1}", lambda step=step: _dialog(_first_start(window, step))
    yield "a question", lambda: _dialog(ask(window, "Delete it?", "It is gone then.", "Delete", lambda: None))
    options = window.chat.options
    for name, popover, open_it in (
        ("System prompt", options.prompt, options.open_prompt),
        ("Sampling", options.sampling, options.open_sampling),
        ("Conversations", options.list, options.open_list),
    ):
        yield name, lambda popover=popover, open_it=open_it: (_opened(window, popover, open_it), popover.close)


def _went(window: MainWindow, place: str) -> Callable[[], object]:
    window.go(place)
    return lambda: None


def _viewed(window: MainWindow, view: str) -> Callable[[], object]:
    window.go("Cluster")
    window.cluster.views.show_view(view)
    return lambda: window.cluster.views.show_view("Activity")


def _saving(window: MainWindow) -> QWidget:
    saved = window.cluster.board.header.saved
    saved.ask()
    assert saved.dialog is not None
    return saved.dialog


def _hub(window: MainWindow) -> Callable[[], object]:
    window.go("Models")
    window.models.show_tab("hub")
    return lambda: window.models.show_tab("disk")


def _lane(window: MainWindow) -> Callable[[], object]:
    window.go("Chat")
    window.chat.header.lane_button.setChecked(True)
    return lambda: window.chat.header.lane_button.setChecked(False)


def _editing(window: MainWindow) -> Callable[[], object]:
    window.go("Chat")
    mine = next(each for each in window.chat.transcript.messages if isinstance(each, UserMessage))
    mine.begin_edit()
    return mine.end_edit


def _error(window: MainWindow) -> Callable[[], object]:
    window.go("Models")
    window.banner.show_error(ShardboardError("The disk is full.", "Free 3 GB."), "Try again", lambda: None)
    return window.banner.hide


def _failing(dialog: AddMachineDialog) -> AddMachineDialog:
    dialog.address.setText("10.0.0.7:8101")
    dialog.banner.show_error(ShardboardError("Nothing answers at 10.0.0.7:8101.", "Start an agent there: shardd run"))
    return dialog


def _first_start(window: MainWindow, step: int) -> FirstStartDialog:
    dialog = open_first_start(window, window.bridge, window.settings.chosen, window.go)
    dialog.go(step)
    return dialog


def _dialog(dialog: QWidget) -> tuple[QWidget, Callable[[], object]]:
    dialog.show()
    return dialog, dialog.close


def _opened(window: MainWindow, popover: QWidget, open_it: Callable[[], object]) -> QWidget:
    window.go("Chat")
    open_it()
    return popover
