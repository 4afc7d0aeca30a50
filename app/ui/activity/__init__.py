"""What happened, in sentences."""

from app.ui.activity.panel import ActivityPanel

__all__ = ["ActivityPanel"]
