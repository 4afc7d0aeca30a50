"""The chat: ChatPane(bridge, shelf, parent)."""

from app.ui.chat.pane import ChatPane

__all__ = ["ChatPane"]
