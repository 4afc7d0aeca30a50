"""Whether things may move on their own, and how that is put in force."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from PySide6.QtCore import QCoreApplication, QSettings, Qt
from PySide6.QtWidgets import QApplication

VARIABLE: Final = "SHARDBOARD_MOTION"
MOTION_PROPERTY: Final = "reducedMotion"  # of the application: the one place where it is kept
EFFECTS: Final = (
    Qt.UIEffect.UI_AnimateMenu,
    Qt.UIEffect.UI_FadeMenu,
    Qt.UIEffect.UI_AnimateCombo,
    Qt.UIEffect.UI_AnimateTooltip,
    Qt.UIEffect.UI_FadeTooltip,
    Qt.UIEffect.UI_AnimateToolBox,
)


def reduced_motion(chosen: str, environment: Mapping[str, str], system: bool | None) -> bool:
    """chosen: "system", "reduced" or "full", from the settings. system: what the system says, None where it says
    nothing. The environment (SHARDBOARD_MOTION, or GTK's own word) stands in for a system that says nothing.
    """
    if chosen in ("reduced", "full"):
        return chosen == "reduced"
    said = environment.get(VARIABLE, "")
    if said in ("reduced", "full"):
        return said == "reduced"
    if system is not None:
        return system
    return environment.get("GTK_ENABLE_ANIMATIONS", "") == "0"


def system_reduces(platform: str) -> bool | None:
    """What the system's own settings say. Qt does not tell: on a Mac it stands in a file, elsewhere it is None."""
    if platform != "darwin":
        return None
    file = Path.home() / "Library" / "Preferences" / "com.apple.universalaccess.plist"
    value = QSettings(str(file), QSettings.Format.NativeFormat).value("reduceMotion")
    return None if value is None else str(value).lower() in ("1", "true")


def apply_motion(app: QApplication, reduced: bool) -> None:
    """Menus, lists and tool tips appear at once where motion is reduced; others ask motion_reduced()."""
    app.setProperty(MOTION_PROPERTY, reduced)
    for effect in EFFECTS:
        app.setEffectEnabled(effect, not reduced)
    app.setCursorFlashTime(0 if reduced else 1000)


def motion_reduced() -> bool:
    app = QCoreApplication.instance()
    return bool(app is not None and app.property(MOTION_PROPERTY))
