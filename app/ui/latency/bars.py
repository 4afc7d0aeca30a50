"""The laps of an answer as stacked bars: per stage hop, queue, compute and packing, bottom up; the rest on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget

from app.core.generation.accounting import KINDS, Lap, part_ms
from app.core.text import phrase
from app.ui import words
from app.ui.text import as_shown, shown, tr
from app.ui.theme import SPACE, colour, sans, tokens
from app.ui.theme.tokens import TEXT, scaled
from app.ui.widgets.labels import plain_tooltip
from shardd.stage.timings import percentile

BAR_PX: Final = 6
GAP_PX: Final = 2
HEIGHT: Final = 64
LEGEND_HEIGHT: Final = 18
SHADES: Final = {"hop": 0.4, "queue": 0.2, "compute": 1.0, "serialise": 0.65}
KIND_WORDS: Final = {
    "hop": phrase("hop"),
    "queue": phrase("waiting"),
    "compute": phrase("computing"),
    "serialise": phrase("packing"),
}
LEGEND_TIP: Final = phrase(
    "Each machine's share of the time of a token: computing, waiting, packing and the link to it together."
)
OUTLIER: Final = 2.5  # bars higher than so many times the 95th percentile are cut, and marked


def scale_ms(laps: Sequence[Lap]) -> float:
    """What the full height stands for: the longest lap, unless a rare one would press all others flat."""
    if not laps:
        return 1.0
    every = [max(lap.observed_ms, lap.summed_ms) for lap in laps]
    return max(1e-6, min(max(every), OUTLIER * percentile(every, 0.95)))


def shown_laps(laps: Sequence[Lap], width: int) -> tuple[Lap, ...]:
    """The latest that fit."""
    return tuple(laps[-max(1, width // (BAR_PX + GAP_PX)) :])


def details(lap: Lap, number: int, machines: Sequence[str]) -> str:
    """A bar in words, a line a stage."""
    head = tr("Token {number}: {observed_ms}", number=number, observed_ms=words.milliseconds(lap.observed_ms))
    if lap.tokens > 1:
        head = tr(
            "{tokens} at once, from {number}: {observed_ms}",
            tokens=words.count(lap.tokens, "token"),
            number=number,
            observed_ms=words.milliseconds(lap.observed_ms),
        )
    if lap.shared > 1:
        answers = words.count(lap.shared - 1, "other answer")
        head = tr("{token}, in steps shared with {answers}", token=head, answers=answers)
    lines = [head]
    for timing in sorted(lap.timings, key=lambda each: each.stage):
        node = machines[timing.stage] if timing.stage < len(machines) else tr("stage {stage}", stage=timing.stage + 1)
        parts = [f"{shown(KIND_WORDS[kind])} {words.milliseconds(part_ms(timing, kind))}" for kind in KINDS]
        lines.append(f"{node}: {', '.join(parts)}")
    rest = lap.observed_ms - lap.summed_ms
    if rest > 0:
        lines.append(tr("elsewhere: {rest}", rest=words.milliseconds(rest)))
    return "\n".join(lines)


class LatencyBars(QLabel):  # to a screen reader a plain widget would have no role
    """One bar a lap, the newest at the right. Hovering, or Left and Right, gives a bar's numbers.

    Attributes: chosen, the bar (counted among those shown) whose numbers are given, None for none.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._laps: tuple[Lap, ...] = ()
        self._machines: tuple[str, ...] = ()
        self._colours: tuple[int, ...] = ()
        self._legend: tuple[tuple[str, float], ...] = ()
        self.chosen: int | None = None
        self.setAccessibleName(tr("Latency of the latest tokens"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setFixedHeight(HEIGHT + scaled(LEGEND_HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.setFixedHeight(HEIGHT + scaled(LEGEND_HEIGHT))

    def sizeHint(self) -> QSize:
        return QSize(240, HEIGHT + scaled(LEGEND_HEIGHT))

    def show_laps(
        self,
        laps: Sequence[Lap],
        machines: Sequence[str],
        colours: Sequence[int],
        shares: Sequence[tuple[str, float]],
    ) -> None:
        """colours: each stage's node colour; shares: of each stage's machine, for the legend."""
        if len(laps) != len(self._laps):
            self.chosen = None
        self._laps, self._machines, self._colours = tuple(laps), tuple(machines), tuple(colours)
        self._legend = tuple(shares)
        self.update()

    def numbers_of(self, bar: int) -> str:
        """Of a bar that is shown, counted from the left; "" where there is none."""
        shown = shown_laps(self._laps, self.width())
        if not 0 <= bar < len(shown):
            return ""
        before = sum(lap.tokens for lap in self._laps[: len(self._laps) - len(shown) + bar])
        return details(shown[bar], before + 1, self._machines)

    def bar_at(self, x: int) -> int:
        count = len(shown_laps(self._laps, self.width()))
        return (x - (self.width() - count * (BAR_PX + GAP_PX))) // (BAR_PX + GAP_PX)

    # -- events -------------------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.position().y() > HEIGHT and self._legend:
            QToolTip.showText(event.globalPosition().toPoint(), plain_tooltip(LEGEND_TIP), self)
            return
        self._choose(self.bar_at(event.position().toPoint().x()), event.globalPosition().toPoint())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.chosen = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        count = len(shown_laps(self._laps, self.width()))
        if steps is None or not count:
            super().keyPressEvent(event)
            return
        start = count if self.chosen is None else self.chosen
        bar = max(0, min(count - 1, start + steps))
        left = self.width() - (count - bar) * (BAR_PX + GAP_PX)
        self._choose(bar, self.mapToGlobal(QPoint(left, HEIGHT)))

    def _choose(self, bar: int, at: QPoint) -> None:
        numbers = self.numbers_of(bar)
        self.chosen = bar if numbers else None
        self.setAccessibleDescription(as_shown(numbers))
        QToolTip.showText(at, plain_tooltip(numbers), self) if numbers else QToolTip.hideText()
        self.update()

    # -- painting -----------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        values = tokens()
        painter.fillRect(QRectF(0, HEIGHT - 1, self.width(), 1), colour(values.border))
        shown = shown_laps(self._laps, self.width())
        scale = scale_ms(shown)
        left = self.width() - len(shown) * (BAR_PX + GAP_PX)
        for number, lap in enumerate(shown):
            self._paint_bar(painter, lap, float(left + number * (BAR_PX + GAP_PX)), scale, number == self.chosen)
        self._paint_legend(painter)
        if self.hasFocus():
            painter.setPen(QPen(colour(values.accent_text), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_bar(self, painter: QPainter, lap: Lap, x: float, scale: float, chosen: bool) -> None:
        values = tokens()
        room = float(HEIGHT - 2)
        top = room
        for timing in sorted(lap.timings, key=lambda each: each.stage):
            ink = values.node(self._colour(timing.stage))
            for kind in KINDS:
                height = min(top, room * part_ms(timing, kind) / scale)
                top -= height
                painter.fillRect(QRectF(x, top, BAR_PX, height), colour(ink, SHADES[kind]))
        rest = min(top, room * max(0.0, lap.observed_ms - lap.summed_ms) / scale)
        painter.fillRect(QRectF(x, top - rest, BAR_PX, rest), colour(values.others, 0.45))
        if lap.observed_ms > scale * 1.001:
            painter.fillRect(QRectF(x, 0, BAR_PX, 2), colour(values.warning))
        if chosen:
            painter.fillRect(QRectF(x - 1, 0, BAR_PX + 2, HEIGHT), colour(values.text, 0.14))

    def _paint_legend(self, painter: QPainter) -> None:
        values = tokens()
        painter.setFont(sans(TEXT.small))
        metrics = painter.fontMetrics()
        x, baseline = 0, HEIGHT + scaled(LEGEND_HEIGHT) - 5
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for stage, (node, share) in enumerate(self._legend):
            text = f"{node} {100 * share:.0f} %"
            width = 12 + metrics.horizontalAdvance(text) + SPACE.m
            left = len(self._legend) - stage
            more = metrics.horizontalAdvance(f"+{left}")
            if x + width > self.width() + SPACE.m or (left > 1 and x + width + more > self.width()):
                painter.setPen(QColor(values.text_muted))
                painter.drawText(x, baseline, f"+{left}")
                return
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(values.node(self._colour(stage))))
            painter.drawEllipse(QRectF(x, baseline - 8, 8, 8))
            painter.setPen(QColor(values.text_muted))
            painter.drawText(x + 12, baseline, text)
            x += width

    def _colour(self, stage: int) -> int:
        return self._colours[stage] if stage < len(self._colours) else stage
