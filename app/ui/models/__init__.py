"""The Models page: what is on this disk, the hub, and what is on its way."""

from app.ui.models.page import ModelsPage

__all__ = ["ModelsPage"]
