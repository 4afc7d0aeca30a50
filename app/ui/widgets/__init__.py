"""Small widgets that every pane uses."""

from app.ui.widgets.banner import Banner
from app.ui.widgets.buttons import IconButton, SteadyButton, explain, push_button
from app.ui.widgets.containers import Card, Line, RowSheet, Sheet, fit_height, keep_right_edge, page_scroll
from app.ui.widgets.flow import FlowRow
from app.ui.widgets.grid import ResponsiveGrid
from app.ui.widgets.labels import ElidedLabel, PillLabel, ValueLabel, WrappedLabel, label, set_tone
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.splitter import FittedSplitter, PaneSplitter

__all__ = [
    "Banner",
    "Card",
    "ElidedLabel",
    "FittedSplitter",
    "FlowRow",
    "IconButton",
    "Line",
    "PaneSplitter",
    "PillLabel",
    "ResponsiveGrid",
    "RowSheet",
    "SearchField",
    "Sheet",
    "SteadyButton",
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
