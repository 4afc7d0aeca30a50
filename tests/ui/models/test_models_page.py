"""The Models page of the real window: found on the hub, downloaded through cuts and restarts, converted, deleted."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.core.library.models import BUILT_IN, built_in_model
from app.core.paths import ControllerPaths
from app.ui.models import facts
from app.ui.models.page import ModelsPage
from app.ui.models.transfers import DownloadRow
from tests.hub.server import TOKEN, LoopbackHub
from tests.ui.conftest import OpenWindow
from tests.ui.models.conftest import OTHER, REPO, show_models

WEIGHTS = "model.safetensors"


def search(qtbot: QtBot, page: ModelsPage, text: str) -> None:
    page.hub_tab.click()
    page.search.setFocus()
    page.search.clear()
    QTest.keyClicks(page.search, text)
    qtbot.waitUntil(lambda: page.hub.words == text and not page.hub.searching)


def row(qtbot: QtBot, page: ModelsPage, state: str) -> DownloadRow:
    """The row of our repository once its download is in this state."""

    def there() -> bool:
        return REPO in page.transfers.downloads and page.transfers.downloads[REPO].download.state == state

    qtbot.waitUntil(there)
    return page.transfers.downloads[REPO]


def answer(qtbot: QtBot, page: ModelsPage, verb: str) -> str:
    """Presses the button of the question that begins with verb; what was asked."""
    qtbot.waitUntil(lambda: page.question is not None and page.question.isVisible())
    box, page.question = page.question, None
    assert isinstance(box, QMessageBox)
    text = f"{box.text()} {box.informativeText()}"
    qtbot.mouseClick(next(b for b in box.buttons() if b.text().startswith(verb)), Qt.MouseButton.LeftButton)
    return text


def unexplained(page: ModelsPage) -> list[str]:
    """Grey buttons that do not say why."""
    buttons = [each for each in page.findChildren(QAbstractButton) if each.isVisible() and not each.isEnabled()]
    return [each.text() for each in buttons if not (each.toolTip() and each.accessibleDescription())]


def test_search_check_and_the_token(qtbot: QtBot, hub: LoopbackHub, open_window: OpenWindow) -> None:
    with open_window("mini-1", "mini-2") as window:
        page = show_models(qtbot, window)
        page.hub_tab.click()
        qtbot.waitUntil(lambda: not page.hub.searching)
        assert list(page.hub.cards) == [REPO], "without words: what is made for MLX"
        before = len(hub.requests)
        search(qtbot, page, "shardboard")
        assert list(page.hub.cards) == [REPO, OTHER], "mlx-community first"
        assert len(hub.requests) - before == 2, "one search for all the letters"
        assert page.hub.status.text().startswith('2 models for "shardboard"')
        mine, gated = page.hub.cards[REPO], page.hub.cards[OTHER]
        assert (gated.kind_pill.text(), gated.third_pill.text(), gated.fourth_pill.text()) == ("4-bit", "mit", "gated")
        assert not gated.pull.isEnabled() and "enter a hub token" in gated.pull.toolTip()
        assert not unexplained(page)

        mine.check.click()
        qtbot.waitUntil(lambda: mine.fit.text() == "Fits: 2 machines, 2k context")
        assert mine.size_pill.text() == "8.1 MB" and hub.sent_from_cdn < 200_000, "headers alone"
        assert "mini-1: layers 0" in mine.fit.toolTip() and facts.NO_SPEED in mine.fit.toolTip()

        dialog = page.enter_token()
        qtbot.waitUntil(lambda: dialog.status.text().startswith("No token is known"))
        QTest.keyClicks(dialog.field, TOKEN)
        dialog.keep_button.click()
        qtbot.waitUntil(lambda: dialog.status.text().startswith("A token is known"))
        assert dialog.field.text() == "" and gated.pull.isEnabled()
        dialog.reject()
        page.search.setText("no such thing")
        qtbot.waitUntil(lambda: page.hub.status.text().startswith("Nothing on the hub fits"))
        assert not page.hub.cards


@pytest.mark.in_turn
def test_a_download_survives_cuts_pauses_and_restarts(
    qtbot: QtBot, hub: LoopbackHub, open_window: OpenWindow, paths: ControllerPaths
) -> None:
    hub.faults.bytes_per_s = 400_000  # on each of six connections
    hub.faults.cut_after, hub.faults.cuts = 300_000, 2
    with open_window() as window:
        page = show_models(qtbot, window)
        search(qtbot, page, "shardboard")
        page.hub.cards[REPO].pull.click()
        shown = row(qtbot, page, "running")
        qtbot.waitUntil(lambda: shown.rate.text().endswith("/s") and shown.left.text().endswith("left"))
        assert page.hub.cards[REPO].pull.text() == "In the queue" and not unexplained(page)
        shown.go.click()
        paused = row(qtbot, page, "paused").download
        assert paused.done_bytes > 0 and shown.go.text() == "Resume"
    with open_window() as window:
        page = show_models(qtbot, window)
        shown = row(qtbot, page, "paused")
        assert shown.download.done_bytes == paused.done_bytes, "it is remembered, and stays paused"
        shown.go.click()
        qtbot.waitUntil(lambda: row(qtbot, page, "running").download.done_bytes > paused.done_bytes)
        shown = row(qtbot, page, "running")
    hub.faults.bytes_per_s = 0
    with open_window() as window:  # it ran when the window was closed: it goes on by itself
        page = show_models(qtbot, window)
        row(qtbot, page, "done")
        qtbot.waitUntil(lambda: REPO in {model.name for model in page.view.models})
        qtbot.waitUntil(lambda: REPO in window.bridge.snapshot.models)
        assert filecmp.cmp(paths.models / REPO / WEIGHTS, built_in_model() / WEIGHTS, shallow=False)
        assert hub.sent_from_cdn < 1.5 * (built_in_model() / WEIGHTS).stat().st_size, "resumed inside the file"
        card = page.disk.card(REPO)
        qtbot.waitUntil(lambda: "12 layers" in card.facts.text())
        assert card.fit.text() == facts.NO_MACHINES
        page.transfers.clear.click()
        qtbot.waitUntil(lambda: not page.transfers.isVisible())

        card.remove.click()
        assert "8.3 MB will be deleted" in answer(qtbot, page, "Keep")
        assert (paths.models / REPO).is_dir()
        card.remove.click()
        answer(qtbot, page, "Delete 8.3 MB")
        qtbot.waitUntil(lambda: "are free again" in page.banner.text)
        assert not (paths.models / REPO).exists()
        qtbot.waitUntil(lambda: [model.name for model in page.view.models] == [BUILT_IN])


def test_cancel_deletes_what_came_after_a_question(
    qtbot: QtBot, hub: LoopbackHub, open_window: OpenWindow, paths: ControllerPaths
) -> None:
    hub.faults.bytes_per_s = 200_000
    with open_window() as window:
        page = show_models(qtbot, window)
        page.pull(REPO)
        qtbot.waitUntil(lambda: row(qtbot, page, "running").download.done_bytes > 0)
        page.transfers.downloads[REPO].end.click()
        assert "will be deleted. Pause keeps them." in answer(qtbot, page, "Delete")
        qtbot.waitUntil(lambda: not page.view.downloads)
        assert not list((paths.models / ".incoming").iterdir())
        hub.repositories[REPO].gated = True
        page.pull(REPO)
        failed = row(qtbot, page, "failed")
        assert "is gated" in failed.text.text() and "Hub token on the Models page" in failed.text.text()
        assert failed.go.text() == "Retry"
        hub.repositories[REPO].gated, hub.faults.bytes_per_s = False, 0
        failed.go.click()
        row(qtbot, page, "done")


def test_without_a_network(qtbot: QtBot, hub: LoopbackHub, open_window: OpenWindow) -> None:
    hub.faults.down = True
    with open_window("mini-1") as window:
        page = show_models(qtbot, window)
        page.hub_tab.click()
        qtbot.waitUntil(page.hub.banner.isVisible)
        assert page.hub.banner.text == f"The hub cannot be reached. {facts.OFFLINE}"
        page.disk_tab.click()
        card = page.disk.card(BUILT_IN)
        qtbot.waitUntil(lambda: card.fit.text() == "Fits: 1 machine, 2k context")
        with qtbot.waitSignal(page.placed):
            card.use.click()
        window.go("Models")
        qtbot.waitUntil(lambda: not card.use.isEnabled())
        assert card.use.toolTip() == "This model is on the board." and not unexplained(page)
        page.search.setText("nothing like it")
        assert not card.isVisible() and page.disk.search_hub.isVisible()
        hub.faults.down = False
        page.hub_tab.click()
        qtbot.waitUntil(lambda: page.hub.status.text().startswith("Nothing on the hub fits"))
        assert not page.hub.banner.isVisible()


def test_a_folder_and_a_conversion(
    qtbot: QtBot, hub: LoopbackHub, open_window: OpenWindow, paths: ControllerPaths, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(built_in_model(), folder / "little")
    with open_window() as window:
        page = show_models(qtbot, window)
        page.add_folder(str(tmp_path / "nothing"))
        qtbot.waitUntil(lambda: "is not a folder" in page.banner.text)
        page.add_folder(str(folder))
        qtbot.waitUntil(lambda: page.banner.text == "Found little.")
        card = page.disk.card("little")
        qtbot.waitUntil(lambda: card.weighed is not None)
        card.convert_wanted.emit(card.model, 4)
        qtbot.waitUntil(lambda: "local/little-4bit" in {model.name for model in page.view.models})
        (made,) = page.view.conversions
        assert made.state == "done" and made.done_bytes == made.total_bytes > 0
        assert (paths.models / "local" / "little-4bit" / "config.json").is_file()
        copy = page.disk.card("local/little-4bit")
        qtbot.waitUntil(lambda: copy.kind_pill.text() == "4-bit")
        assert not copy.convert.isEnabled() and "quantised already" in copy.convert.toolTip()
        to_four, to_eight = card.convert_menu().actions()
        assert not to_four.isEnabled() and "here already" in to_four.toolTip() and to_eight.isEnabled()
        card.remove.click()
        assert "Nothing in it is deleted" in answer(qtbot, page, "Forget")
        qtbot.waitUntil(lambda: "little" not in {model.name for model in page.view.models})
        assert (folder / "little" / WEIGHTS).is_file() and not unexplained(page)


def test_the_tab_key_goes_from_top_to_bottom(qtbot: QtBot, hub: LoopbackHub, open_window: OpenWindow) -> None:
    hub.faults.bytes_per_s = 100_000
    with open_window() as window:
        page = show_models(qtbot, window)
        search(qtbot, page, "shardboard")
        page.pull(REPO)
        row(qtbot, page, "running")
        qtbot.waitUntil(lambda: not page.hub.cards[REPO].pull.isEnabled())
        window.activateWindow()
        page.token_button.setFocus()
        names: list[str] = []
        while len(names) < 12 and (there := QApplication.focusWidget()):
            names.append(there.accessibleName() or there.text())  # type: ignore[attr-defined]
            QTest.keyClick(there, Qt.Key.Key_Tab)
        assert names[:11] == [
            *("Hub token…", "Add folder…", "Look again", "On this disk (1)", "On the hub", "Search models"),
            *(f"Pause {REPO}", f"Cancel {REPO}", f"Does {REPO} fit?"),
            *(f"Open the page of {REPO}", f"Open the page of {OTHER}"),
        ]
