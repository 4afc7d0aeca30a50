"""The API inside the app: who may use it and how, whether it runs and why not, and what other programs need to know."""

from __future__ import annotations

import secrets

from PySide6.QtCore import QSignalBlocker, QTimer
from PySide6.QtWidgets import QCheckBox, QLineEdit, QSpinBox, QWidget

from app.core.serve.desk import ApiState, ApiView, why_not
from app.core.serve.recipes import ALL_ADDRESSES, client_settings, curl_call
from app.core.settings.settings import Settings
from app.core.snapshot import DeploymentState, Snapshot
from app.core.text import phrase
from app.ui.bridge import CoreBridge
from app.ui.settings.chosen import Chosen
from app.ui.settings.section import Section, choice, copy_text, show_choice
from app.ui.text import shown, tr
from app.ui.widgets import PillLabel, WrappedLabel, explain, push_button

NOTE = phrase("Programs made for OpenAI's API can use the deployed model through this machine.")
HERE, EVERYWHERE = "127.0.0.1", ALL_ADDRESSES[0]
NOT_RUNNING = phrase("Start the API first.")
COPIED_MS = 2500
KEY_WIDTH = 280
TONES = {ApiState.RUNNING: "success", ApiState.FAILED: "danger", ApiState.STARTING: "info", ApiState.STOPPED: ""}


class ApiSection(Section):
    def __init__(self, bridge: CoreBridge, chosen: Chosen, parent: QWidget | None = None) -> None:
        super().__init__(tr("API server"), NOTE, parent)
        self._bridge = bridge
        self._chosen = chosen
        self.view = ApiView()
        self._snapshot = bridge.snapshot
        self.pill = PillLabel()
        self.switch = push_button("Start", "primary", self.toggle)
        self.text = WrappedLabel()
        self.text.setAccessibleName(tr("State of the API"))
        self.who = choice(
            tr("Who may use the API"), [(tr("This machine only"), HERE), (tr("All machines on my network"), EVERYWHERE)]
        )
        self.port = QSpinBox()
        self.port.setRange(1, 65535)
        self.port.setKeyboardTracking(False)
        self.port.setGroupSeparatorShown(False)
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setPlaceholderText(tr("none"))
        self.key.setMinimumWidth(KEY_WIDTH)
        self.show_key = push_button("Show", "quiet", self._toggle_key)
        self.new_key = push_button("Make one", "", self.make_key)
        self.clear_key = push_button("Remove", "quiet", lambda: chosen.change(api_key=""))
        self.with_app = QCheckBox(tr("Start with the app"))
        self.copy_curl = push_button("Copy as curl", "", self._copy_curl)
        self.copy_client = push_button("Copy for OpenAI clients", "", self._copy_client)
        self.copied = PillLabel(tone="success")
        self.copied.set("")
        self._build()
        self._connect()
        self._show_settings(chosen.now)
        self.show_view(self.view)

    def _build(self) -> None:
        self.row("State", self.pill, self.switch)
        self.wide("", self.text)
        self.row(tr("Who may use it"), self.who)
        self.row("Port", self.port)
        for button, name in (
            (self.show_key, tr("Show the API key")),
            (self.new_key, tr("Make a new API key")),
            (self.clear_key, tr("Remove the API key")),
        ):
            button.setAccessibleName(shown(name))
        self.key.setAccessibleName(tr("API key"))
        self.row("Key", self.key)
        self.row("", self.show_key, self.new_key, self.clear_key, note=tr("Callers send it as a bearer token."))
        self.row("", self.with_app)
        self.with_app.setAccessibleName(tr("Start the API with the app"))
        self.row(tr("For other programs"), self.copy_curl, self.copy_client, self.copied)
        self.copy_curl.setAccessibleName(tr("Copy as curl"))

    def _connect(self) -> None:
        chosen = self._chosen
        self.who.activated.connect(lambda _index: chosen.change(api_host=self.who.currentData()))
        self.port.valueChanged.connect(lambda value: chosen.change(api_port=value))
        self.key.editingFinished.connect(self._keep_key)
        self.with_app.clicked.connect(lambda checked: chosen.change(api_with_app=checked))
        chosen.changed.connect(self._show_settings)
        self._bridge.when_ready(self._follow)
        self._bridge.snapshot_changed.connect(self._show_snapshot)
        self._forget_copied = QTimer(self)
        self._forget_copied.setSingleShot(True)
        self._forget_copied.setInterval(COPIED_MS)
        self._forget_copied.timeout.connect(lambda: self.copied.set(""))

    def _follow(self) -> None:
        stream = self._bridge.stream(lambda controller: controller.api.watch())
        stream.updates.connect(lambda batch: self.show_view(batch[-1]))
        self.show_view(self.view)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def show_view(self, view: ApiView) -> None:
        self.view = view
        self.pill.set(view.state.value, TONES[view.state])
        self._show_text()
        runs = view.state is ApiState.RUNNING
        self.switch.setText(tr("Stop") if runs else tr("Start"))
        self.switch.setAccessibleName(tr("Stop the API") if runs else tr("Start the API"))
        self._show_switch()
        for button in (self.copy_curl, self.copy_client):
            explain(button, "" if runs else NOT_RUNNING, "With the address, the key and the model that is deployed")

    def _show_switch(self) -> None:
        refusal = "" if self._bridge.started else tr("Shardboard is still starting.")
        if self.view.state is ApiState.STARTING:
            refusal = tr("The API is starting.")
        elif self.view.state is not ApiState.RUNNING:
            refusal = refusal or why_not(self._chosen.now)
        explain(self.switch, refusal, "Answers that it is giving end then" if self.view.address else "")

    def _show_text(self) -> None:
        deployment = self._snapshot.deployment
        text = self.view.text
        if self.view.state is ApiState.STOPPED:
            text = why_not(self._chosen.now) or text
        elif self.view.state is ApiState.RUNNING and deployment.state is DeploymentState.READY:
            text = tr("{text} {model} answers.", text=text, model=deployment.model)
        elif self.view.state is ApiState.RUNNING:
            text = tr("{text} It answers once a model is deployed.", text=text)
        self.text.setText(text)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot, snapshot
        if snapshot.deployment is not before.deployment:
            self._show_text()

    def _show_settings(self, settings: Settings) -> None:
        show_choice(self.who, settings.api_host, tr("At {api_host}", api_host=settings.api_host))
        with QSignalBlocker(self.port):
            self.port.setValue(settings.api_port)
        if self.key.text() != settings.api_key:
            self.key.setText(settings.api_key)
        self.with_app.setChecked(settings.api_with_app)
        none = "" if settings.api_key else tr("There is no key.")
        explain(self.show_key, none)
        explain(self.clear_key, none, "Then nobody is asked for one")
        self.new_key.setText(tr("Make a new one") if settings.api_key else tr("Make one"))
        self._show_switch()
        self._show_text()

    # -- commands -----------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        if self.view.state is ApiState.RUNNING:
            self._bridge.run(lambda controller: controller.api.stop(), None, self._chosen.failed.emit)
        else:
            self._bridge.run(lambda controller: controller.api.start(), None, self._chosen.failed.emit)

    def make_key(self) -> None:
        self._chosen.change(api_key=secrets.token_urlsafe(24))

    def _keep_key(self) -> None:
        self._chosen.change(api_key=self.key.text().strip())

    def _toggle_key(self) -> None:
        hidden = self.key.echoMode() is QLineEdit.EchoMode.Password
        self.key.setEchoMode(QLineEdit.EchoMode.Normal if hidden else QLineEdit.EchoMode.Password)
        self.show_key.setText(tr("Hide") if hidden else tr("Show"))
        self.show_key.setAccessibleName(tr("Hide the API key") if hidden else tr("Show the API key"))

    def _copy_curl(self) -> None:
        copy_text(curl_call(self.view.address, self._chosen.now.api_key, self._model))
        self._say_copied()

    def _copy_client(self) -> None:
        copy_text(client_settings(self.view.address, self._chosen.now.api_key, self._model))
        self._say_copied()

    @property
    def _model(self) -> str:
        deployment = self._snapshot.deployment
        return deployment.model if deployment.state is DeploymentState.READY else ""

    def _say_copied(self) -> None:
        secret = self._chosen.now.api_key
        self.copied.set(tr("Copied, with the key in it") if secret else "Copied", "success")
        self._forget_copied.start()
