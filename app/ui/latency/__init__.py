"""The latency lane: LatencyPanel(parent)."""

from app.ui.latency.panel import LatencyPanel

__all__ = ["LatencyPanel"]
