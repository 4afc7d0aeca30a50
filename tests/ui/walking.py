"""What tests of pages and dialogs share: walking by the Tab key, and what every control owes to its reader."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QWidget,
)

CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)
MOST_STEPS = 300


def controls(root: QWidget) -> list[QWidget]:
    """What can be used now: shown, enabled, and no part of another control."""
    return [
        each
        for each in root.findChildren(QWidget)
        if isinstance(each, CONTROLS)
        and each.isVisible()
        and each.isEnabled()
        and not isinstance(each.parentWidget(), QAbstractSpinBox | QComboBox | QLineEdit)
    ]


def tab_to(root: QWidget, wanted: QWidget) -> None:
    """Presses Tab until the control has the focus."""
    for _ in range(MOST_STEPS):
        if wanted.hasFocus():
            return
        QTest.keyClick(focus(root), Qt.Key.Key_Tab)
    raise AssertionError(f"Tab never comes to {wanted.accessibleName() or wanted}")


def press(root: QWidget, key: Qt.Key) -> None:
    """To whatever has the focus."""
    QTest.keyClick(focus(root), key)


def write(root: QWidget, text: str) -> None:
    QTest.keyClicks(focus(root), text)


def focus(root: QWidget) -> QWidget:
    return QApplication.focusWidget() or root.focusWidget() or root


def walk(root: QWidget) -> list[QWidget]:
    """Every control of root that Tab comes to, in order."""
    found: list[QWidget] = []
    for _ in range(MOST_STEPS):
        QTest.keyClick(focus(root), Qt.Key.Key_Tab)
        now = focus(root)
        if now in found:
            break
        if now in root.findChildren(QWidget):
            found.append(now)
    return found


def unreachable(root: QWidget) -> list[str]:
    """Controls that Tab does not come to. (Of exclusive buttons Tab halts at the checked one only.)"""
    reached = walk(root)
    groups = {each.group() for each in reached if isinstance(each, QAbstractButton) and each.group()}
    return [
        _name(each)
        for each in controls(root)
        if each not in reached and not (isinstance(each, QAbstractButton) and each.group() in groups)
    ]


def nameless(root: QWidget) -> list[str]:
    """Controls that a screen reader could not name."""
    return [
        _name(each)
        for each in controls(root)
        if not (each.accessibleName() or (isinstance(each, QAbstractButton) and each.text()))
    ]


def unexplained(root: QWidget) -> list[str]:
    """Grey controls that do not say why."""
    grey = [each for each in root.findChildren(QWidget) if isinstance(each, CONTROLS) and each.isVisible()]
    return [_name(each) for each in grey if not each.isEnabled() and not each.toolTip()]


def _name(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return f"{type(widget).__name__} {widget.accessibleName() or text}"
