"""The menu bar, made from the table of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar

from app.ui.desktop.commands import COMMANDS, MENUS
from app.ui.text import tr
from app.ui.widgets import explain

ROLES: Final = {
    "about": QAction.MenuRole.AboutRole,
    "preferences": QAction.MenuRole.PreferencesRole,
    "quit": QAction.MenuRole.QuitRole,
}


@dataclass(frozen=True, slots=True)
class Deed:
    """What a command does, and why it cannot be done now ("" where it can)."""

    do: Callable[[], object]
    why_not: Callable[[], str] = str


class Menus:
    """Fills a menu bar. Attributes: actions, by the name of their command."""

    def __init__(self, bar: QMenuBar, deeds: Mapping[str, Deed]) -> None:
        self.actions: dict[str, QAction] = {}
        for name in MENUS:
            menu = bar.addMenu(f"&{tr(name)}")
            menu.setToolTipsVisible(True)
            of_menu: list[tuple[QAction, Deed]] = []
            for command in COMMANDS:
                if command.menu != name:
                    continue
                if command.line:
                    menu.addSeparator()
                action = QAction(tr(command.text), menu)
                action.setShortcuts([QKeySequence(keys) for keys in command.keys])
                # Without a role Qt guesses one from the text, and a Mac would move "Settings" away.
                action.setMenuRole(ROLES.get(command.role, QAction.MenuRole.NoRole))
                deed = deeds[command.name]
                action.triggered.connect(lambda _checked=False, deed=deed: None if deed.why_not() else deed.do())
                menu.addAction(action)
                of_menu.append((action, deed))
                self.actions[command.name] = action
            menu.aboutToShow.connect(lambda of_menu=of_menu: _explain(of_menu))
            # A disabled action's keys are dead: it is asked again when they are pressed.
            menu.aboutToHide.connect(lambda of_menu=of_menu: _enable(of_menu))


def _explain(of_menu: list[tuple[QAction, Deed]]) -> None:
    for action, deed in of_menu:
        explain(action, deed.why_not())


def _enable(of_menu: list[tuple[QAction, Deed]]) -> None:
    for action, _deed in of_menu:
        action.setEnabled(True)
