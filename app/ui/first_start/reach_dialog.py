"""Why can't I see my Mac? A list of checks that fills as they are made, each with what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.core.cluster.reach import check_reach
from app.core.cluster.reach_findings import Verdict
from app.core.text import joined, phrase
from app.ui import words
from app.ui.bridge import CoreBridge, Stream
from app.ui.text import as_shown, shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import Banner, PillLabel, RowSheet, WrappedLabel, explain, label, page_scroll, push_button

if TYPE_CHECKING:
    from app.core.cluster.reach_findings import Finding
    from app.core.controller import Controller

TITLE = phrase("Why can't I see my Mac?")
INTRO = phrase(
    "Each line below is tested now, from this machine. Type the address of the Mac that is "
    "missing, as its System Settings show it under Network, and it is tested as well."
)
TONES = {Verdict.GOOD: "success", Verdict.PROBLEM: "danger", Verdict.NOTE: "warning", Verdict.UNTESTED: ""}
CHECKING = phrase("Checking…")
PLACED_MS = 60  # until a new row stands where it will


class FindingRow(QWidget):
    """One check: how it went, what was found, what to do."""

    def __init__(self, finding: Finding, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.finding = finding
        pill = PillLabel(finding.verdict.value, TONES[finding.verdict])
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(finding.check, "strong"))
        texts.addWidget(WrappedLabel(finding.sentence))
        if finding.remedy:
            texts.addWidget(WrappedLabel(finding.remedy, "muted"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, SPACE.xs, 0, SPACE.xs)
        row.setSpacing(SPACE.m)
        row.addLayout(texts, 1)
        row.addWidget(pill, 0, Qt.AlignmentFlag.AlignTop)
        self.setAccessibleName(f"{shown(finding.check)}: {shown(finding.verdict.value)}")
        self.setAccessibleDescription(as_shown(joined((finding.sentence, finding.remedy))))


class ReachDialog(QDialog):
    """Begins at once with what can be tested without an address."""

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None, address: str = "") -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._stream: Stream | None = None
        self.rows: list[FindingRow] = []
        self.setWindowTitle(as_shown(TITLE))
        self.setMinimumSize(600, 520)
        self.address = QLineEdit(address)
        self.address.setPlaceholderText(tr("mini-1.local or 10.0.0.7"))
        self.address.setAccessibleName(tr("Address of the machine that is missing"))
        self.address.returnPressed.connect(self.check)
        self.check_button = push_button("Check again", "primary", self.check)
        self.banner = Banner()
        self.status = WrappedLabel(CHECKING, "muted")
        self.status.setAccessibleName(tr("What the checks found"))
        close = push_button("Close", "", self.reject)
        line = QHBoxLayout()
        line.setSpacing(SPACE.s)
        line.addWidget(self.address, 1)
        line.addWidget(self.check_button)
        content = RowSheet(SPACE.xs)
        self._list = content.rows
        foot = QHBoxLayout()
        foot.addWidget(self.status, 1)
        foot.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        layout.setSpacing(SPACE.m)
        layout.addWidget(label(TITLE, "heading"))
        layout.addWidget(WrappedLabel(INTRO, "muted"))
        layout.addLayout(line)
        layout.addWidget(self.banner)
        self._area = page_scroll(content)
        layout.addWidget(self._area, 1)
        layout.addLayout(foot)
        self.check_button.setAutoDefault(False)
        close.setAutoDefault(False)
        self.check()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(row.finding for row in self.rows)

    @property
    def checking(self) -> bool:
        return self._stream is not None

    def check(self) -> None:
        """Tests everything anew."""
        if self._stream is not None:
            self._stream.cancel()
        for row in self.rows:
            row.deleteLater()
        self.rows.clear()
        self.banner.hide()
        self.status.setText(CHECKING)
        explain(self.check_button, CHECKING)
        stream = self._stream = self._bridge.stream(partial(_checks, self.address.text().strip()))
        stream.updates.connect(lambda batch: self._add(stream, batch))
        stream.finished.connect(lambda: self._ended(stream))
        stream.failed.connect(lambda error: self._ended(stream, error))

    def done(self, result: int) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
        super().done(result)

    def _add(self, stream: Stream, findings: tuple[Finding, ...]) -> None:
        if stream is not self._stream:
            return
        for finding in findings:
            row = FindingRow(finding)
            self.rows.append(row)
            self._list.insertWidget(self._list.count() - 1, row)

    def _ended(self, stream: Stream, error: BaseException | None = None) -> None:
        if stream is not self._stream:
            return
        self._stream = None
        explain(self.check_button, "", "Tests everything anew")
        if error is not None:
            self.banner.show_error(error)
        self.status.setText(summary(self.findings, bool(self.address.text().strip())))
        problem = next((row for row in self.rows if row.finding.verdict is Verdict.PROBLEM), None)
        if problem is not None:  # once it has its place
            QTimer.singleShot(PLACED_MS, problem, lambda: self._area.ensureWidgetVisible(problem, 0, SPACE.s))


def open_reach(parent: QWidget, bridge: CoreBridge, address: str = "") -> ReachDialog:
    """Opens it over a window or a dialog; the one that is open already comes to the front."""
    dialog = next((each for each in parent.findChildren(ReachDialog) if each.isVisible()), None)
    if dialog is None:
        dialog = ReachDialog(bridge, parent, address)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    dialog.raise_()
    return dialog


def summary(findings: tuple[Finding, ...], addressed: bool) -> str:
    """What came of it all, in a sentence."""
    if not findings:
        return ""
    problems = [finding for finding in findings if finding.verdict is Verdict.PROBLEM]
    if problems:
        return tr(
            "{problems} found. Begin with: {check}.",
            problems=words.count(len(problems), "problem"),
            check=problems[0].check,
        )
    if not addressed:
        return tr("Nothing is wrong on this side. Type the other machine's address to test the way there.")
    return tr("Nothing is in the way.")


def _checks(address: str, controller: Controller) -> AsyncIterator[Finding]:
    snapshot = controller.snapshot()
    return check_reach(
        address,
        controller.identity,
        discovered=snapshot.discovered,
        known=[node.name for node in snapshot.nodes if not node.local],
        discovery_problem=snapshot.discovery_problem,
    )
