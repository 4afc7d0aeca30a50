"""The three steps: this machine, other machines, a model; then Deploy and chat. Any of them may be skipped."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.core.snapshot import DeploymentState, Snapshot
from app.core.starting import deploy_balanced
from app.core.text import phrase
from app.ui import words
from app.ui.bridge import CoreBridge, Handle
from app.ui.first_start.machine_step import MachineStep
from app.ui.first_start.model_step import ModelStep
from app.ui.first_start.others_step import OthersStep
from app.ui.settings.chosen import Chosen
from app.ui.text import as_shown, shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import Banner, WrappedLabel, explain, label, push_button

TITLE = phrase("Set up Shardboard")
DEPLOY = phrase("Deploy and chat")
STARTING = phrase("Shardboard is still starting.")
UNDER_WAY = phrase("A deployment is under way.")


class FirstStartDialog(QDialog):
    """Signals: chat_wanted(), a model answers and the person wants to talk to it."""

    chat_wanted = Signal()

    def __init__(self, bridge: CoreBridge, chosen: Chosen, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._chosen = chosen
        self._handle: Handle | None = None
        self.setWindowTitle(as_shown(TITLE))
        self.setMinimumSize(680, 560)
        self.machine, self.others, self.model = MachineStep(bridge, chosen), OthersStep(bridge), ModelStep(bridge)
        self.steps = (self.machine, self.others, self.model)
        self.stack = QStackedWidget()
        for step in self.steps:
            self.stack.addWidget(step)
        self.marks = [
            push_button(f"{number}  {shown(step.heading)}", "quiet", lambda number=number: self.go(number - 1))
            for number, step in enumerate(self.steps, 1)
        ]
        self.banner = Banner()
        self.progress_text = WrappedLabel(role="muted")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(tr("Progress of the deployment"))
        self.skip = push_button("Skip", "quiet", self.reject)
        self.skip.setToolTip(tr("Come back by the menu, or from the Cluster page"))
        self.back = push_button("Back", "", lambda: self.go(self.stack.currentIndex() - 1))
        self.next = push_button("Next", "primary", self.forward)
        self._build()
        bridge.snapshot_changed.connect(self._show_snapshot)
        bridge.ready.connect(self._show_buttons)
        self.model.changed.connect(self._show_buttons)
        self._show_deploying(False)
        self.go(0)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE.xs)
        for number, mark in enumerate(self.marks, 1):
            mark.setCheckable(True)
            mark.setAutoDefault(False)
            mark.setAccessibleName(
                tr(
                    "Step {number} of {marks}: {heading}",
                    number=number,
                    marks=len(self.marks),
                    heading=self.steps[number - 1].heading,
                )
            )
            top.addWidget(mark)
        top.addStretch(1)
        foot = QHBoxLayout()
        foot.setSpacing(SPACE.s)
        for button in (self.skip, self.back):
            button.setAutoDefault(False)
        self.next.setDefault(True)
        foot.addWidget(self.skip)
        foot.addStretch(1)
        foot.addWidget(self.back)
        foot.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        layout.setSpacing(SPACE.m)
        layout.addWidget(label(TITLE, "title"))
        layout.addLayout(top)
        layout.addWidget(self.stack, 1)
        layout.addWidget(self.banner)
        layout.addWidget(self.progress_text)
        layout.addWidget(self.progress)
        layout.addLayout(foot)

    # -- steps --------------------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        return self.stack.currentIndex()

    def go(self, step: int) -> None:
        self.stack.setCurrentIndex(step)
        for number, mark in enumerate(self.marks):
            mark.setChecked(number == step)
        self._show_buttons()

    def forward(self) -> None:
        """To the next step; from the last: deploys, and cancels what it began."""
        if self.step < len(self.steps) - 1:
            self.go(self.step + 1)
        elif self._handle is None:
            self.deploy()
        else:
            self._handle.cancel()

    def _show_buttons(self) -> None:
        last = self.step == len(self.steps) - 1
        explain(self.back, "" if self.step else "This is the first step.")
        if self._handle is not None:
            self.next.setText(tr("Cancel"))
            explain(self.next, "", "What was sent to machines stays there")
            return
        self.next.setText(as_shown(DEPLOY if last else tr("Next")))
        explain(self.next, self._deploy_why_not() if last else "")

    def _deploy_why_not(self) -> str:
        if not self._bridge.started:
            return STARTING
        if self._bridge.snapshot.deployment.state is DeploymentState.DEPLOYING:
            return UNDER_WAY
        return self.model.why_not

    # -- deploying ----------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """The chosen model over all machines that are ready."""
        model = self.model.chosen
        if model is None:
            return
        self.banner.hide()
        directory = str(model.directory)
        self._handle = self._bridge.run(
            lambda controller: deploy_balanced(controller, directory), self._deployed, self._failed, self._cancelled
        )
        self._show_deploying(True)

    def _deployed(self, _result: object) -> None:
        self._ended()
        self._seen()
        self.accept()
        self.chat_wanted.emit()

    def _failed(self, error: BaseException) -> None:
        self._ended()
        self.banner.show_error(error)

    def _cancelled(self) -> None:
        self._ended()
        self.banner.show_message("The deployment was cancelled.", tone="info")

    def _ended(self) -> None:
        self._handle = None
        self._show_deploying(False)

    def _show_deploying(self, deploying: bool) -> None:
        self.progress.setVisible(deploying)
        self.progress_text.setVisible(deploying)
        self.progress_text.setText(tr("Placing it on the machines…"))
        self.progress.setRange(0, 0)
        self._show_buttons()

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self._show_buttons()
        if self._handle is None:
            return
        moving = [(node.name, node.transfer) for node in snapshot.nodes if node.transfer]
        total = sum(transfer.total_bytes for _, transfer in moving)
        done = sum(transfer.done_bytes for _, transfer in moving)
        self.progress.setRange(0, 1000 if total else 0)
        if total:
            self.progress.setValue(min(1000, 1000 * done // total))
            names = words.listed([name for name, _ in moving])
            self.progress_text.setText(
                tr("{done} of {total} to {names}", done=words.size(done), total=words.size(total), names=names)
            )

    # -- the end ------------------------------------------------------------------------------------------------------

    def reject(self) -> None:
        """Skipped, or closed: it does not come again by itself."""
        if self._handle is not None:
            self._handle.cancel()
        self._seen()
        super().reject()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return in a field is the field's own: it does not also go to the next step."""
        in_field = isinstance(self.focusWidget(), QLineEdit | QAbstractSpinBox)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and in_field:
            event.accept()
            return
        super().keyPressEvent(event)

    def done(self, result: int) -> None:
        self.others.cancel()
        self.model.cancel()
        super().done(result)

    def _seen(self) -> None:
        self._chosen.change(first_start_done=True)


def open_first_start(
    parent: QWidget, bridge: CoreBridge, chosen: Chosen, go: Callable[[str], object]
) -> FirstStartDialog:
    """Opens it over the window, once. go: MainWindow.go. chosen: the Settings page's."""
    dialog = next((each for each in parent.findChildren(FirstStartDialog) if each.isVisible()), None)
    if dialog is None:
        dialog = FirstStartDialog(bridge, chosen, parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chat_wanted.connect(lambda: go("Chat"))
    dialog.open()
    dialog.raise_()
    return dialog
