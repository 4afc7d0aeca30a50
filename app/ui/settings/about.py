"""What leaves this machine, and which version this is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

import shardd
from app.core.settings.updates import version_report
from app.core.text import joined, phrase
from app.ui import words
from app.ui.bridge import CoreBridge
from app.ui.settings.section import Section, copy_text
from app.ui.text import tr
from app.ui.widgets import IconButton, WrappedLabel, label, push_button

if TYPE_CHECKING:
    from app.core.controller import Controller

PRIVACY = phrase(
    "Nothing is sent anywhere: no telemetry, no accounts, no crash reports, no looking for updates by itself."
)
CONTACTS = (
    (
        phrase("The hub"),
        phrase(
            "{hub}: only when you search, look whether a model there fits, or download. It learns "
            "your words, the model's name and your token where you gave one."
        ),
    ),
    (
        phrase("Paired machines"),
        phrase("Prompts and answers travel only between this window and the machines that you paired, encrypted."),
    ),
    (
        phrase("The local network"),
        phrase(
            "While the window is open it listens for agents (Bonjour), and asks who is there. The "
            "check list of “Why can't I see my Mac?” sends one test announcement."
        ),
    ),
    (phrase("The API"), phrase("Listens only while it is on, and for this machine only unless you say otherwise.")),
)


class PrivacySection(Section):
    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(tr("Privacy"), parent=parent)
        promise = WrappedLabel(PRIVACY, "strong")
        self.body.insertWidget(1, promise)
        self._texts = {name: WrappedLabel(tr(text, hub=tr("The hub")), "muted") for name, text in CONTACTS}
        for name, text in self._texts.items():
            self.wide(name, text)
        bridge.when_ready(lambda: bridge.run(_hub_address, self._show_hub))

    def _show_hub(self, address: str) -> None:
        name, text = CONTACTS[0]
        self._texts[name].setText(tr(text, hub=address))


class AboutSection(Section):
    def __init__(self, bridge: CoreBridge, fingerprint: str, parent: QWidget | None = None) -> None:
        super().__init__(tr("Version and updates"), parent=parent)
        self._bridge = bridge
        self.version = label(tr("Shardboard {version}", version=shardd.__version__))
        self.check = push_button("Check now", "", self.look)
        self.check.setAccessibleName(tr("Check for updates now"))
        self.answer = WrappedLabel("Nothing is looked up before you ask.", "muted")
        self.answer.setAccessibleName(tr("What checking for updates found"))
        self.row("Version", self.version)
        self.row("Updates", self.check)
        self.wide("", self.answer)
        shown = WrappedLabel(words.fingerprint(fingerprint), "mono")
        shown.setAccessibleName(tr("This controller's fingerprint"))
        self.wide(
            "Fingerprint", shown, IconButton("copy", "Copy the fingerprint", lambda: copy_text(fingerprint), size=16)
        )
        self._note(tr("By it the machines know this controller; they show it when they are paired."))

    def look(self) -> None:
        """Compares versions with the machines'; says what cannot be known."""
        self.answer.setText(joined(version_report(shardd.__version__, self._bridge.snapshot.nodes)))


def _hub_address(controller: Controller) -> str:
    return controller.library.hub.endpoint
