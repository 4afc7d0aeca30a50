"""One machine that could be added: looked at by one click, trusted by the code that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.text import phrase
from app.ui import words
from app.ui.bridge import CoreBridge, Handle
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import Card, ElidedLabel, WrappedLabel, explain, push_button, set_tone
from app.ui.widgets.code_field import CodeField

if TYPE_CHECKING:
    from app.core.controller import ProbedAgent

TYPE_CODE = phrase("Type the six digits that {name} shows.")


class PairRow(Card):
    """Signals: paired(address), both machines trust each other now."""

    paired = Signal(str)

    def __init__(
        self, bridge: CoreBridge, address: str, name: str = "", version: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._handle: Handle | None = None
        self._busy = ""
        self.address = address
        self.name = name or address
        self.probed: ProbedAgent | None = None
        self.title = ElidedLabel(self.name, "heading")
        self.where = ElidedLabel(
            " · ".join(filter(None, (address if name else "", version and f"shardd {version}"))), "small"
        )
        self.code = CodeField(120)
        self.code.textChanged.connect(self._show_button)
        self.code.returnPressed.connect(self._enter)
        self.button = push_button("Pair", "primary", self.act)
        self.button.setAutoDefault(False)
        self.says = WrappedLabel(role="muted")
        self.setAccessibleName(tr("Machine {name}", name=self.name))
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.title)
        texts.addWidget(self.where)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addLayout(texts, 1)
        row.addWidget(self.code, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.body.addLayout(row)
        self.body.addWidget(self.says)
        self.code.hide()
        self.where.setVisible(bool(self.where.text()))
        self._say("")
        self._show_button()

    @property
    def in_use(self) -> bool:
        """Whether it was tried: what came of it stays to be read, also where the machine is announced no more."""
        return bool(self._busy or self.probed is not None or self.says.text())

    def act(self) -> None:
        """Looks at the machine; then, with a code, pairs."""
        probed = self.probed
        if self._busy:
            return
        if probed is None or not (probed.trusts_us or probed.pairs):
            self.look()
        elif probed.trusts_us:
            fingerprint = probed.fingerprint
            self._begin(tr("Adding…"), lambda controller: controller.add_node(self.address, fingerprint), self._paired)
        else:
            code = self.code.text()
            self._begin(tr("Pairing…"), lambda controller: controller.pair_node(self.address, code), self._paired)

    def look(self) -> None:
        """Asks who answers there; one that knows this controller already is added at once."""
        self._begin(tr("Looking…"), lambda controller: controller.probe_agent(self.address), self._show_probed)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _begin(self, doing: str, command, on_result) -> None:  # type: ignore[no-untyped-def]
        self._say(doing)
        self._busy = doing
        self._show_button()
        self._handle = self._bridge.run(command, on_result, self._failed)

    def _show_probed(self, probed: ProbedAgent) -> None:
        self._busy = ""
        self.probed = probed
        if probed.name:
            self.name = probed.name
            self.title.setText(probed.name)
            self.where.setText(f"{probed.address} · {words.short_fingerprint(probed.fingerprint)}")
            self.where.show()
        if probed.trusts_us:
            self.act()
            return
        self.code.setVisible(probed.pairs)
        self.code.setAccessibleName(tr("Code that {name} shows", name=self.name))
        self._say(probed.advice)
        self._show_button()
        if probed.pairs:
            self.code.setFocus()

    def _paired(self, _result: object) -> None:
        self._busy = ""
        self.paired.emit(self.address)  # first: whoever listens sees where the keyboard was
        self.code.hide()
        self._say(tr("{name} is paired.", name=self.name), "success")
        explain(self.button, "It is paired.")

    def _failed(self, error: BaseException) -> None:
        self._busy = ""
        self._say(str(error), "danger")
        self._show_button()

    def _say(self, text: str, tone: str = "muted") -> None:
        set_tone(self.says, "role", tone)
        self.says.setText(text)
        self.says.setVisible(bool(text))

    def _show_button(self) -> None:
        waits_for_code = self.probed is not None and self.probed.pairs and not self.probed.trusts_us
        self.button.setText(
            tr("Look again") if self.probed and not (waits_for_code or self.probed.trusts_us) else tr("Pair")
        )
        self.button.setAccessibleName(f"{self.button.text()}: {self.name}")
        no_code = waits_for_code and not self.code.complete
        explain(self.button, self._busy or (tr(TYPE_CODE, name=self.name) if no_code else ""))

    def _enter(self) -> None:
        if self.button.isEnabled():
            self.act()
