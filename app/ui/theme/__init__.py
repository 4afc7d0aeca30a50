"""The look of the window. What other packages use:

tokens() -> Tokens           the colours in force (call it in paintEvent); SPACE, RADIUS, TEXT: distances and sizes
colour(value, alpha=1)       a token as QColor;  blend(front, back, share)
sans(size, weight), mono(size, weight)   the bundled fonts
icon(name, colour), icon_pixmap(...)     resources/icons/NAME.svg in any colour
Theme(app, mode, scale)      applies everything; mode "system", "dark" or "light"; set_mode(), set_scale(), changed()
text_scale(), scaled(px)     how large text is (0.8 to 2), and a size that goes with it; TEXT follows by itself
look()                       scheme and scale in one word: who keeps something built from them compares this

The stylesheet knows these properties (set them with setProperty before the widget is shown, or use app.ui.widgets):
QLabel   role = "title" | "heading" | "muted" | "small" | "mono" | "danger" | "warning" | "success"
QPushButton/QToolButton   kind = "primary" | "quiet" | "danger" (none: the ordinary button)
QFrame   kind = "card" | "raised" | "sidebar" | "line"
"""

from app.ui.theme.resources import icon, icon_pixmap, mono, resources_dir, sans
from app.ui.theme.theme import MODES, Theme
from app.ui.theme.tokens import (
    DARK,
    LEAST_SCALE,
    LIGHT,
    MOST_SCALE,
    RADIUS,
    SPACE,
    TEXT,
    Tokens,
    blend,
    colour,
    contrast,
    look,
    scaled,
    text_scale,
    tokens,
)

__all__ = [
    "DARK",
    "LEAST_SCALE",
    "LIGHT",
    "MODES",
    "MOST_SCALE",
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
    "look",
    "mono",
    "resources_dir",
    "sans",
    "scaled",
    "text_scale",
    "tokens",
]
