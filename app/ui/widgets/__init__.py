"""Small widgets that every pane uses."""

from app.ui.widgets.banner import Banner
from app.ui.widgets.buttons import IconButton, explain, push_button
from app.ui.widgets.containers import Card, Line, fit_height, keep_right_edge, page_scroll
from app.ui.widgets.grid import ResponsiveGrid
from app.ui.widgets.labels import ElidedLabel, PillLabel, ValueLabel, WrappedLabel, label, set_tone

__all__ = [
    "Banner",
    "Card",
    "ElidedLabel",
    "IconButton",
    "Line",
    "PillLabel",
    "ResponsiveGrid",
    "ValueLabel",
    "WrappedLabel",
    "explain",
    "fit_height",
    "keep_right_edge",
    "label",
    "page_scroll",
    "push_button",
    "set_tone",
]
