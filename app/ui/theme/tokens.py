"""Design tokens: every colour, distance and size that the window uses, as two frozen values (dark and light).

Widgets that paint themselves call tokens() in paintEvent; everything else is styled by app.ui.theme.stylesheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor, QGuiApplication, QPalette


@dataclass(frozen=True, slots=True)
class Tokens:
    """One colour scheme. Colours are "#rrggbb"; see colour() for a QColor."""

    name: str  # "dark" or "light"
    window: str  # behind everything
    surface: str  # cards, side bar
    raised: str  # buttons, fields, pills on a card
    hover: str
    pressed: str
    border: str
    border_strong: str  # what has to be found by the eye: field edges, handles
    text: str
    text_muted: str
    text_disabled: str
    accent: str  # background of the primary button
    accent_hover: str
    accent_pressed: str
    on_accent: str
    accent_text: str  # accent as text, links, focus rings
    selection: str  # behind selected text
    danger: str
    danger_surface: str
    warning: str
    warning_surface: str
    success: str
    success_surface: str
    info_surface: str
    track: str  # empty part of bars
    others: str  # memory of other programs in a memory bar
    shadow: str
    nodes: tuple[str, ...]  # eight colours, told apart on `surface`

    @property
    def dark(self) -> bool:
        return self.name == "dark"

    def node(self, index: int) -> str:
        return self.nodes[index % len(self.nodes)]

    def node_surface(self, index: int) -> str:
        """What a block of this node is filled with: its colour, faint enough to write on."""
        return blend(self.node(index), self.surface, 0.18 if self.dark else 0.14)


DARK: Final = Tokens(
    name="dark",
    window="#0d0f14",
    surface="#14171f",
    raised="#1d212b",
    hover="#252a36",
    pressed="#2c3240",
    border="#272c38",
    border_strong="#4a5265",
    text="#f1f3f8",
    text_muted="#a0a9ba",
    text_disabled="#808a9d",
    accent="#3767e8",
    accent_hover="#3c6bea",
    accent_pressed="#2f5ad0",
    on_accent="#ffffff",
    accent_text="#85a8ff",
    selection="#2f4f9e",
    danger="#ff8a80",
    danger_surface="#3a1d21",
    warning="#f5b95f",
    warning_surface="#352a17",
    success="#56d3a2",
    success_surface="#15302a",
    info_surface="#1a2540",
    track="#222733",
    others="#7d8799",
    shadow="#000000",
    nodes=("#5b8cff", "#2fc3a0", "#f2a14a", "#b98cff", "#f277a8", "#d6cb52", "#45c4e8", "#ef7f66"),
)

LIGHT: Final = Tokens(
    name="light",
    window="#f4f5f8",
    surface="#ffffff",
    raised="#f0f1f5",
    hover="#e6e8ee",
    pressed="#dadde6",
    border="#dfe2ea",
    border_strong="#a3abba",
    text="#14171f",
    text_muted="#596273",
    text_disabled="#656e7e",
    accent="#2b62e8",
    accent_hover="#2257dc",
    accent_pressed="#1c4bc2",
    on_accent="#ffffff",
    accent_text="#1f55d6",
    selection="#bcd0ff",
    danger="#b3261e",
    danger_surface="#fdeceb",
    warning="#8a5300",
    warning_surface="#fdf3e1",
    success="#0b6e4f",
    success_surface="#e5f6ef",
    info_surface="#e9effe",
    track="#e7e9ef",
    others="#687182",
    shadow="#3a4252",
    nodes=("#2f6bff", "#0f8f74", "#bf6f12", "#7a4fd8", "#c43d78", "#857400", "#0c82a6", "#bd4a35"),
)


@dataclass(frozen=True, slots=True)
class Space:
    """Distances in pixels. Nothing between two of these is used."""

    xs: int = 4
    s: int = 8
    m: int = 12
    l: int = 16  # noqa: E741
    xl: int = 24


@dataclass(frozen=True, slots=True)
class Radius:
    small: int = 4
    control: int = 7
    card: int = 10


class TextSize:
    """Font sizes in pixels, at the text scale in force: read them when they are used, not when a module is loaded."""

    @property
    def small(self) -> int:
        return scaled(12)

    @property
    def body(self) -> int:
        return scaled(13)

    @property
    def heading(self) -> int:
        return scaled(14)

    @property
    def subtitle(self) -> int:
        return scaled(16)

    @property
    def larger(self) -> int:
        return scaled(18)

    @property
    def title(self) -> int:
        return scaled(19)


SPACE: Final = Space()
RADIUS: Final = Radius()
TEXT: Final = TextSize()


SCALE_PROPERTY: Final = "textScale"  # of the application: the one place where the scale is kept
LEAST_SCALE: Final = 0.8
MOST_SCALE: Final = 2.0


def text_scale() -> float:
    """How large text is, 1 being the usual size."""
    app = QCoreApplication.instance()
    value = app.property(SCALE_PROPERTY) if app is not None else None
    return float(value) if isinstance(value, float | int) else 1.0


def scaled(pixels: float) -> int:
    """A size that goes with the text: a font, a row, a column that holds words."""
    return round(pixels * text_scale())


def look() -> str:
    """Scheme and text scale in one word. Who builds something from them builds it again when this has changed."""
    return f"{tokens().name} {text_scale():g}"


def tokens() -> Tokens:
    """The tokens in force, read from the application's palette (so nothing has to be passed to paintEvent)."""
    return DARK if QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def colour(value: str, alpha: float = 1.0) -> QColor:
    result = QColor(value)
    result.setAlphaF(alpha)
    return result


def blend(front: str, back: str, share: float) -> str:
    """`share` of front over back, as one opaque colour."""
    ends = zip(_channels(front), _channels(back), strict=True)
    return "#" + "".join(f"{round(f * share + b * (1 - share)):02x}" for f, b in ends)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _channels(value: str) -> tuple[int, int, int]:
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _luminance(value: str) -> float:
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(value))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
