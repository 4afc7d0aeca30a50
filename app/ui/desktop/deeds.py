"""What each command of the menu bar does to the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QTextEdit

from app.core.snapshot import DeploymentState
from app.core.text import phrase
from app.ui.chat.text import deployment_obstacle, stop_obstacle
from app.ui.desktop.about import AboutDialog
from app.ui.desktop.menus import Deed
from app.ui.desktop.shortcuts_page import ShortcutsDialog
from app.ui.text import tr

if TYPE_CHECKING:
    from app.ui.window import MainWindow

TextField = QLineEdit | QPlainTextEdit | QTextEdit

SCALE_STEP = 0.1
NO_MODEL = phrase("No model is chosen.")
NO_FIELD = phrase("Choose a text field first.")
READ_ONLY = phrase("This text cannot be changed.")
NOTHING_WRITTEN = phrase("Nothing is written in this chat yet.")
NO_ANSWER = phrase("There is no answer yet.")


def deeds(window: MainWindow) -> dict[str, Deed]:
    chat, cluster, theme = window.chat, window.cluster, window.theme

    def begun() -> str:
        return "" if chat.conversation.turns else NOTHING_WRITTEN

    def answerable() -> str:
        last = chat.conversation.shown[-1].role if chat.conversation.shown else ""
        if chat.writing:
            return tr("An answer is being written.")
        return deployment_obstacle(window.bridge.snapshot.deployment) or ("" if last == "assistant" else NO_ANSWER)

    def in_chat(act) -> Deed:  # type: ignore[no-untyped-def]
        """Small windows of the chat stand beside its buttons: it has to be seen first."""

        def do() -> None:
            if not chat.isVisible():
                window.go("Chat")
            act()

        return Deed(do)

    return {
        "new_chat": in_chat(chat.new_chat),
        "add_machine": Deed(cluster.add_machine),
        "import_chat": in_chat(chat.files.choose_import),
        "export_markdown": Deed(lambda: chat.files.export("md"), begun),
        "export_json": Deed(lambda: chat.files.export("json"), begun),
        "close": Deed(window.close),
        "quit": Deed(window.quit),
        **_edits(window),
        "preferences": Deed(lambda: window.go("Settings")),
        "go_cluster": Deed(lambda: window.go("Cluster")),
        "go_models": Deed(lambda: window.go("Models")),
        "go_chat": Deed(lambda: window.go("Chat")),
        "go_settings": Deed(lambda: window.go("Settings")),
        "lane": in_chat(chat.header.lane_button.toggle),
        "larger": Deed(lambda: theme.set_scale(theme.scale + SCALE_STEP)),
        "smaller": Deed(lambda: theme.set_scale(theme.scale - SCALE_STEP)),
        "usual_size": Deed(lambda: theme.set_scale(1.0)),
        "toggle_theme": Deed(theme.toggle),
        "full_screen": Deed(lambda: window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)),
        "set_up": Deed(window.first_start),
        "reach": Deed(window.explain_reach),
        "balance": Deed(lambda: (window.go("Cluster"), cluster.balance())),
        "deploy": Deed(
            cluster.deploy, lambda: cluster.state.deploy_why_not if cluster.state else tr("No model is chosen.")
        ),
        "undeploy": Deed(
            lambda: window.bridge.run(lambda controller: controller.undeploy(), None, window.banner.show_error),
            lambda: (
                ""
                if window.bridge.snapshot.deployment.state in (DeploymentState.READY, DeploymentState.DEPLOYING)
                else tr("Nothing is deployed.")
            ),
        ),
        "find_models": Deed(lambda: (window.go("Models"), window.models.search.setFocus())),
        "write": in_chat(chat.focus_composer),
        "stop": Deed(chat.stop, lambda: stop_obstacle(chat.writing)),
        "regenerate": Deed(lambda: chat.regenerate(), answerable),
        "go_on": Deed(chat.go_on, answerable),
        "conversations": in_chat(chat.options.open_list),
        "rename": Deed(chat.options.rename, begun),
        "system_prompt": in_chat(chat.options.open_prompt),
        "sampling": in_chat(chat.options.open_sampling),
        "minimize": Deed(window.showMinimized),
        "zoom": Deed(lambda: window.showNormal() if window.isMaximized() else window.showMaximized()),
        "side_bar": Deed(window.side_bar.focus_place),
        "shortcuts": Deed(lambda: ShortcutsDialog(window).open()),
        "security": Deed(lambda: _security(window)),
        "about": Deed(lambda: AboutDialog(window).open()),
    }


def _security(window: MainWindow) -> None:
    from app.ui.desktop.security_page import SecurityDialog  # reads Markdown, which no window shows at first

    SecurityDialog(window).open()


def _edits(window: MainWindow) -> dict[str, Deed]:
    """Of the text field that has the focus; undo and redo of the placement where there is none."""

    def writes() -> str:
        field = _field()
        return NO_FIELD if field is None else READ_ONLY if field.isReadOnly() else ""

    def undo() -> None:
        if (field := _field()) is not None and not field.isReadOnly():
            field.undo()
        else:
            window.cluster.undo()

    def redo() -> None:
        if (field := _field()) is not None and not field.isReadOnly():
            field.redo()
        else:
            window.cluster.redo()

    def with_field(name: str) -> None:
        if (field := _field()) is not None:
            getattr(field, name)()

    def reads() -> str:
        return "" if _field() is not None else NO_FIELD

    return {
        "undo": Deed(undo),
        "redo": Deed(redo),
        "cut": Deed(lambda: with_field("cut"), writes),
        "copy": Deed(lambda: with_field("copy"), reads),
        "paste": Deed(lambda: with_field("paste"), writes),
        "select_all": Deed(lambda: with_field("selectAll"), reads),
    }


def _field() -> TextField | None:
    focused = QApplication.focusWidget()
    return focused if isinstance(focused, TextField) else None
