"""The Settings place: what the owner has chosen, shown and changed; the file and its rules are app.core.settings."""

from app.ui.settings.page import SettingsPage

__all__ = ["SettingsPage"]
