"""Every text that a reader meets in a window: written, painted, said by a screen reader, or shown by a pointer."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Generator, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QPainter
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QListWidget, QMenu, QTableWidget, QWidget

from shardd.host import describe_host
from tests.ui.audit import described

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
OTHER = "áƀćđéƒǵĥíĵķĺɱñóƥɋŕśťúṽŵẋýžÁɃĆĐÉƑǴĤÍĴĶĹṀÑÓƤɊŔŚŤÚṼŴẊÝŽ"
LETTERS = str.maketrans(PLAIN, OTHER)
READ = ("text", "placeholderText", "toPlainText", "title", "currentText", "specialValueText", "suffix", "prefix")
SAID = ("toolTip", "accessibleName", "accessibleDescription", "statusTip", "windowTitle")
# What is the same in every language: units, names, commands, keys, addresses, and where this test itself lies.
DATA = re.compile(
    r"\b(shardd run|TB|GB|MB|KB|KiB|MiB|ms|tok|min)\b"
    r"|\b(Shardboard|shardd|Apple|Pro|macOS|LM Studio|MLX|bit|float16|bfloat16|"
    r"OpenAI|curl|bash|json|http|local|localhost|Exact|Balanced|Inventive|made up|llama|qwen\d)\b"
    r"|\b(Ctrl|Shift|Tab|Space|Return|Esc|Del|Up|Down|Left|Right|PgUp|PgDown|Home|End)\b"
    r"|(/[\w.-]+)+|https?://\S+|\b[0-9a-f]{4}\b|\b(ab)+\b",
    re.IGNORECASE,
)


def in_other_letters(text: str) -> str:
    """A translation that any reader of English can tell from English; what stands in braces stays."""
    parts = re.split(r"(\{[^{}]*\})", text)
    return "".join(part if part.startswith("{") else part.translate(LETTERS) for part in parts)


def in_english(text: str) -> bool:
    """Whether a word of it was not translated."""
    for named in _this_machine():
        text = text.replace(named, "")
    return re.search(r"[A-Za-z]{2,}", DATA.sub("", text)) is not None


@functools.cache
def _this_machine() -> tuple[str, ...]:
    host = describe_host()
    return tuple(filter(None, (host.chip, host.os)))


def texts(top: QWidget) -> Iterator[tuple[str, str]]:
    """(where, text) of what is shown in this window just now."""
    for widget in (top, *top.findChildren(QWidget)):
        if widget.isVisible() and widget.window() is top.window():
            for text in (*_of_widget(widget), *_of_items(widget)):
                yield described(widget), text


def menu_texts(menu: QMenu) -> Iterator[tuple[str, str]]:
    for action in menu.actions():
        for text in (action.text().partition("\t")[0], action.toolTip(), action.statusTip()):
            yield f"menu {menu.title()}", text


def _of_widget(widget: QWidget) -> Iterator[str]:
    for name in (*READ, *SAID):
        read = getattr(widget, name, None)
        if callable(read) and not (name == "text" and isinstance(widget, QAbstractSpinBox)):
            found = read()
            yield found if isinstance(found, str) else ""


def _of_items(widget: QWidget) -> Iterator[str]:
    role = Qt.ItemDataRole.AccessibleTextRole
    if isinstance(widget, QComboBox):
        yield from (widget.itemText(number) for number in range(widget.count()))
    elif isinstance(widget, QListWidget):
        for item in (widget.item(number) for number in range(widget.count())):
            yield from (item.text(), item.toolTip(), item.data(role) or "")
    elif isinstance(widget, QTableWidget):
        cells = [widget.item(row, column) for row in range(widget.rowCount()) for column in range(widget.columnCount())]
        for item in filter(None, cells):
            yield from (item.text(), item.toolTip(), item.data(role) or "")


@contextlib.contextmanager
def painted(patch: pytest.MonkeyPatch) -> Generator[set[str]]:
    """What our own painting writes meanwhile."""
    found: set[str] = set()
    draw = QPainter.drawText

    def write(painter: QPainter, *arguments: object) -> object:
        found.update(each for each in arguments if isinstance(each, str))
        return draw(painter, *arguments)  # type: ignore[call-overload]

    with patch.context() as patched:
        patched.setattr(QPainter, "drawText", write)
        yield found


def silent_actions(menu: QMenu) -> list[str]:
    """Lines of a menu that are grey and do not say why: by a tip that the menu shows."""
    return [
        f"{menu.title()}: {action.text()}"
        for action in _lines(menu)
        if not action.isEnabled() and not (action.toolTip() != action.text() and menu.toolTipsVisible())
    ]


def _lines(menu: QMenu) -> list[QAction]:
    return [action for action in menu.actions() if not action.isSeparator() and not isinstance(action.menu(), QMenu)]
