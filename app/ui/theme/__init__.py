"""The look of the window. What other packages use:

tokens() -> Tokens           the colours in force (call it in paintEvent); SPACE, RADIUS, TEXT: distances and sizes
colour(value, alpha=1)       a token as QColor;  blend(front, back, share)
sans(size, weight), mono(size, weight)   the bundled fonts
icon(name, colour), icon_pixmap(...)     resources/icons/NAME.svg in any colour
Theme(app, mode)             applies everything; mode "system", "dark" or "light"; signal changed()

The stylesheet knows these properties (set them with setProperty before the widget is shown, or use app.ui.widgets):
QLabel   role = "title" | "heading" | "muted" | "small" | "mono" | "danger" | "warning" | "success"
QPushButton/QToolButton   kind = "primary" | "quiet" | "danger" (none: the ordinary button)
QFrame   kind = "card" | "raised" | "sidebar" | "line"
"""

from app.ui.theme.resources import icon, icon_pixmap, mono, resources_dir, sans
from app.ui.theme.theme import MODES, Theme
from app.ui.theme.tokens import DARK, LIGHT, RADIUS, SPACE, TEXT, Tokens, blend, colour, contrast, tokens

__all__ = [
    "DARK",
    "LIGHT",
    "MODES",
    "RADIUS",
    "SPACE",
    "TEXT",
    "Theme",
    "Tokens",
    "blend",
    "colour",
    "contrast",
    "icon",
    "icon_pixmap",
    "mono",
    "resources_dir",
    "sans",
    "tokens",
]
