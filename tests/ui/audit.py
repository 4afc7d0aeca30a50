"""What a person with a keyboard or a screen reader meets in a window: names, roles, and the way of the Tab key."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMenuBar,
    QPlainTextEdit,
    QScrollArea,
    QScrollBar,
    QTableView,
    QTextEdit,
    QWidget,
)

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)
MOST_TABS = 400


def described(widget: QWidget) -> str:
    """Enough of a widget to find it in the code."""
    text = getattr(widget, "text", None)
    words = text() if callable(text) and isinstance(text(), str) else ""
    above = [type(widget).__name__]
    parent = widget.parentWidget()
    while parent is not None and len(above) < 5:
        above.append(type(parent).__name__)
        parent = parent.parentWidget()
    return f"{' in '.join(above)} {words[:40]!r} {widget.accessibleName()!r}"


def visible(top: QWidget) -> Iterator[QWidget]:
    """Every widget in the window that is shown, the window itself left out; no parts of Qt's own making."""
    for widget in top.findChildren(QWidget):
        if widget.isVisible() and widget.window() is top.window() and not _inner(widget):
            yield widget


def takes_part(widget: QWidget) -> bool:
    """Whether a person does something with it."""
    return isinstance(widget, CONTROLS) or widget.focusPolicy() != Qt.FocusPolicy.NoFocus


def nameless(top: QWidget) -> list[str]:
    """Controls that a screen reader has no name for."""
    return [described(each) for each in visible(top) if takes_part(each) and not _told(each, QAccessible.Text.Name)]


def without_role(top: QWidget) -> list[str]:
    """Controls that a screen reader cannot say the kind of."""
    nothing = (QAccessible.Role.NoRole, QAccessible.Role.Client, QAccessible.Role.Window, QAccessible.Role.Border)
    found: list[str] = []
    for widget in visible(top):
        named = bool(widget.accessibleName()) and not widget.findChildren(QWidget)
        # A place that scrolls has Qt's own role, Client: it stands for what is in it.
        if (takes_part(widget) or named) and not isinstance(widget, QMenuBar | QScrollArea):
            interface = QAccessible.queryAccessibleInterface(widget)
            role = interface.role() if interface is not None else QAccessible.Role.NoRole
            if role in nothing:
                found.append(f"{role.name}: {described(widget)}")
    return found


def grey_without_reason(top: QWidget) -> list[str]:
    """Disabled buttons that do not say why."""
    return [
        described(each)
        for each in visible(top)
        if isinstance(each, QAbstractButton | QComboBox | QAbstractSpinBox | QLineEdit)
        and not each.isEnabled()
        and not (each.toolTip() and _told(each, QAccessible.Text.Description))
    ]


def tab_stops(top: QWidget) -> list[QWidget]:
    """What the Tab key comes by, pressed until it is back where it began."""
    stops: list[QWidget] = []
    window = top.window()  # asked itself: which window is in front is the system's affair
    for _ in range(MOST_TABS):
        QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_Tab)
        now = window.focusWidget()
        if now is None or now in stops:
            break
        stops.append(now)
    return stops


def out_of_reach(top: QWidget) -> list[str]:
    """Enabled controls that the Tab key never comes to, and that nothing on its way stands for."""
    stops = set(tab_stops(top))
    return [
        described(each)
        for each in visible(top)
        if isinstance(each, CONTROLS) and each.isEnabled() and not _reached(each, stops) and not _reading_only(each)
    ]


def _reached(widget: QWidget, stops: set[QWidget]) -> bool:
    return widget in stops or widget.focusProxy() in stops or any(stop.focusProxy() is widget for stop in stops)


def _reading_only(widget: QWidget) -> bool:
    """Text that is read where it stands: nothing can be done in it, and a screen reader reads it by its own keys."""
    return isinstance(widget, QPlainTextEdit | QTextEdit) and widget.isReadOnly()


def _told(widget: QWidget, which: QAccessible.Text) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(which).strip() if interface is not None else ""


def _inner(widget: QWidget) -> bool:
    """A part that Qt made for itself: scroll bars, viewports, the field in a spin box, the list of a combo box, the
    headers of a table, which its cells are read out with."""
    if isinstance(widget, QScrollBar):
        return True
    parent = widget.parentWidget()
    if isinstance(parent, QAbstractScrollArea) and widget is parent.viewport():
        return True
    while parent is not None:
        if isinstance(parent, QAbstractSpinBox | QComboBox | QLineEdit | QMenuBar | QTableView):
            return True
        parent = parent.parentWidget()
    return False
