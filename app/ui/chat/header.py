"""The chat's first line: list, title, context meter, menu, new chat."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QWidget

from app.core.chat.conversation import NEW_CHAT, WhenFull
from app.core.text import joined, phrase
from app.ui.chat.text import context_full, context_line, context_nearly_full
from app.ui.text import as_shown, shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import ElidedLabel, IconButton, PillLabel, explain, set_tone

NARROW_PX = 440
NOT_YET = phrase("Nothing is written yet.")
FULL_TIPS: dict[WhenFull, str] = {
    "stop": phrase(
        "When it is full you are told. Start a new chat, or deploy with a longer context; Sampling "
        "can also let the oldest messages be forgotten."
    ),
    "forget": phrase("When it is full the oldest messages are no longer sent, and the answer says so."),
}


class ChatHeader(QWidget):
    """Signals: list_wanted(), new_wanted(), and what the menu offers."""

    list_wanted = Signal()
    new_wanted = Signal()
    rename_wanted = Signal()
    export_wanted = Signal(str)  # "md" or "json"
    import_wanted = Signal()
    delete_wanted = Signal()
    lane_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._obstacle = NOT_YET
        self.list_button = IconButton("chat", "Conversations", self.list_wanted.emit)
        self.title = ElidedLabel(NEW_CHAT, "heading")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.meter = PillLabel()
        self.meter.setAccessibleName(tr("Context in use"))
        self.lane_button = IconButton("panel", "Latency lane")
        self.lane_button.setCheckable(True)
        self.lane_button.setToolTip(tr("Latency lane: where the time of each token goes"))
        self.lane_button.toggled.connect(self.lane_toggled.emit)
        self.menu_button = IconButton("more", "More for this conversation", self._open_menu)
        self.new_button = IconButton("plus", "New chat", self.new_wanted.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE.xs)
        layout.addWidget(self.list_button)
        layout.addWidget(self.title, 1)
        for part in (self.meter, self.lane_button, self.menu_button, self.new_button):
            layout.addWidget(part)

    def show_title(self, title: str, begun: bool) -> None:
        self.title.setText(title if title and title != NEW_CHAT else tr("New chat"))
        self._obstacle = "" if begun else NOT_YET

    def show_context(self, used: int | None, limit: int, when_full: WhenFull) -> None:
        text = context_line(used, limit)
        full = context_full(used, limit)
        self._meter_text, self._context = text, (used, limit)
        self._fit_meter()
        set_tone(self.meter, "tone", "danger" if full else "warning" if context_nearly_full(used, limit) else "")
        self.meter.setVisible(bool(text))
        said = phrase("The context is full.") if full else ""
        what = phrase("Tokens of this conversation, of the context the deployment has room for.")
        self.meter.setToolTip(shown(joined((said, what, FULL_TIPS[when_full]))))
        self.meter.setAccessibleDescription(as_shown(joined((said, text))))

    _meter_text = ""
    _context: tuple[int | None, int] = (None, 0)

    def _fit_meter(self) -> None:
        """In a narrow chat the title needs the room of a word."""
        narrow = self.width() < NARROW_PX
        self.meter.setText(context_line(*self._context, bare=True) if narrow else self._meter_text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_meter()

    def show_new_obstacle(self, obstacle: str) -> None:
        explain(self.new_button, obstacle, "New chat")

    def menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for text, why_not, act in (
            (tr("Rename…"), self._obstacle, self.rename_wanted.emit),
            (tr("Export as Markdown…"), self._obstacle, lambda: self.export_wanted.emit("md")),
            (tr("Export as JSON…"), self._obstacle, lambda: self.export_wanted.emit("json")),
            (tr("Import…"), "", self.import_wanted.emit),
            (tr("Delete this chat"), self._obstacle, self.delete_wanted.emit),
        ):
            action = QAction(as_shown(text), menu)
            explain(action, why_not)
            action.triggered.connect(lambda _checked=False, act=act: act())
            menu.addAction(action)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _open_menu(self) -> None:
        self.menu().popup(self.menu_button.mapToGlobal(QPoint(0, self.menu_button.height())))
