"""The link picture: machines in the order of the pipeline, lanes between them, the controller above."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QWidget

from app.core.snapshot import Snapshot
from app.core.text import joined, phrase
from app.ui import words
from app.ui.cluster.picture import Hop, LinkPicture, Place, link_picture, sentences
from app.ui.text import as_shown, shown, tr
from app.ui.theme import TEXT, colour, sans, scaled, tokens
from app.ui.theme.tokens import Tokens
from app.ui.widgets import Card, WrappedLabel
from app.ui.widgets.labels import plain_tooltip

EMPTY = phrase("Add a machine: the picture shows who talks to whom.")
BOX = 132.0  # width of a machine, at the usual text size
LEAST = 92.0
FEW, LEAST_OF_FEW = 4, 64.0  # so many stand side by side without scrolling, also with large text
BETWEEN = 66.0
HEIGHT = 120.0  # with the way back below the machines and its words


class LinkCanvas(QLabel):  # to a screen reader a plain widget would have no role
    """Paints a LinkPicture; the same in words is its accessible description and its tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.links = LinkPicture()
        self.setAccessibleName(tr("Links between the machines"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_picture(self, picture: LinkPicture) -> None:
        if picture == self.links:
            return
        self.links = picture
        self.setMinimumHeight(scaled(HEIGHT))
        text = joined(sentences(picture), "\n")
        self.setAccessibleDescription(as_shown(text))
        self.setToolTip(plain_tooltip(text))
        count = len(picture.places)
        least = LEAST if count > FEW else LEAST_OF_FEW
        self.setMinimumWidth(round(count * scaled(least) + max(0, count - 1) * scaled(BETWEEN)) + 16)
        self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(self.minimumWidth(), scaled(HEIGHT))

    def boxes(self) -> list[QRectF]:
        """Where the machines stand."""
        count = len(self.links.places)
        if not count:
            return []
        between = scaled(BETWEEN)
        width = min(scaled(BOX), (self.width() - 16 - between * (count - 1)) / count)
        left = max(8.0, (self.width() - width * count - between * (count - 1)) / 2)
        top = scaled(45)
        return [QRectF(left + number * (width + between), top, width, scaled(40)) for number in range(count)]

    def paintEvent(self, event: QPaintEvent) -> None:
        values = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        boxes = self.boxes()
        where = {place.node: box for place, box in zip(self.links.places, boxes, strict=True)}
        if not boxes:
            return
        self._paint_controller(painter, values, boxes)
        for hop in self.links.hops:
            self._paint_hop(painter, values, hop, where)
        for place, box in zip(self.links.places, boxes, strict=True):
            _paint_place(painter, values, place, box)
        if self.hasFocus():
            painter.setPen(QPen(colour(values.accent_text), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)

    def _paint_controller(self, painter: QPainter, values: Tokens, boxes: list[QRectF]) -> None:
        middle = min((boxes[0].left() + boxes[-1].right()) / 2, boxes[0].center().x() + scaled(240))  # in sight
        box = QRectF(middle - scaled(62), 1, scaled(124), scaled(19))
        small = sans(TEXT.small)
        painter.setFont(small)
        line = scaled(28)
        spots = {
            well: [at.center().x() for place, at in zip(self.links.places, boxes, strict=True) if place.well is well]
            for well in (True, False)
        }
        # One line along all of them: dashes over dashes, out of step, would make a solid one.
        well_spots, lost_spots = [middle, *spots[True]], [middle, *spots[False]]
        low, high = min(well_spots), max(well_spots)
        spans = {True: [(low, high)], False: [(min(low, *lost_spots), low), (high, max(high, *lost_spots))]}
        for well, ink in ((True, values.border_strong), (False, values.danger)):
            painter.setPen(QPen(colour(ink), 1, Qt.PenStyle.DashLine))
            for x in spots[well]:
                painter.drawLine(QPointF(x, line), QPointF(x, boxes[0].top()))
            for left, right in spans[well]:
                if right > left:
                    painter.drawLine(QPointF(left, line), QPointF(right, line))
        painter.setPen(QPen(colour(values.border_strong), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(middle, box.bottom()), QPointF(middle, line))
        painter.setPen(QPen(colour(values.border_strong), 1))
        painter.setBrush(colour(values.raised))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(colour(values.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, tr("this controller"))
        for place, machine in zip(self.links.places, boxes, strict=True):
            text = words.milliseconds(place.to_controller_ms) if place.well else shown(place.state)
            painter.setPen(colour(values.text_muted if place.well else values.danger))
            spot = QRectF(machine.center().x() + 5, line + 1, machine.width() / 2 + scaled(BETWEEN) - 8, scaled(16))
            painter.drawText(spot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_hop(self, painter: QPainter, values: Tokens, hop: Hop, where: dict[str, QRectF]) -> None:
        one, two = where[hop.source], where[hop.target]
        ink = colour(values.accent_text)
        painter.setFont(sans(TEXT.small))
        text = words.milliseconds(hop.ms)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(ink, 1.5))
        if not hop.back:
            y = one.center().y()
            painter.drawLine(QPointF(one.right() + 3, y), QPointF(two.left() - 4, y))
            _arrow(painter, QPointF(two.left() - 3, y), QPointF(1, 0), values)
            painter.setPen(colour(values.text))
            spot = QRectF(one.right(), y - scaled(19), two.left() - one.right(), scaled(16))
            painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, text)
            return
        low = one.bottom() + scaled(14)
        path = QPainterPath(QPointF(one.center().x(), one.bottom() + 3))
        path.lineTo(one.center().x(), low)
        path.lineTo(two.center().x(), low)
        path.lineTo(two.center().x(), two.bottom() + 4)
        painter.drawPath(path)
        _arrow(painter, QPointF(two.center().x(), two.bottom() + 3), QPointF(0, -1), values)
        painter.setPen(colour(values.text))
        spot = QRectF(two.center().x(), low + 1, one.center().x() - two.center().x(), scaled(17))
        short = spot.width() < scaled(360)
        where_to = Qt.AlignmentFlag.AlignCenter if short else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(spot.adjusted(6, 0, 0, 0), where_to, tr("token back to the head  {text}", text=text))


def _paint_place(painter: QPainter, values: Tokens, place: Place, box: QRectF) -> None:
    ink = values.node(place.colour) if place.well else values.danger
    painter.setPen(QPen(colour(ink), 1 if place.well else 2))
    painter.setBrush(colour(values.node_surface(place.colour)))
    painter.drawRoundedRect(box, 8, 8)
    inner = box.adjusted(6, 4, -6, -4)
    bold, small = sans(TEXT.body, QFont.Weight.DemiBold), sans(TEXT.small)
    name = QFontMetricsF(bold).elidedText(place.node, Qt.TextElideMode.ElideMiddle, inner.width())
    painter.setFont(bold)
    painter.setPen(colour(values.text))
    painter.drawText(inner, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, name)
    painter.setFont(small)
    painter.setPen(colour(values.text_muted))
    role = QFontMetricsF(small).elidedText(shown(place.role), Qt.TextElideMode.ElideRight, inner.width())
    painter.drawText(inner, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, role)


def _arrow(painter: QPainter, tip: QPointF, way: QPointF, values: Tokens) -> None:
    side = QPointF(-way.y(), way.x())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour(values.accent_text))
    painter.drawPolygon([tip, tip - way * 7 + side * 4, tip - way * 7 - side * 4])
    painter.setBrush(Qt.BrushStyle.NoBrush)


class LinksPanel(Card):
    """The picture, and what its figures are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = LinkCanvas()
        self.empty = WrappedLabel(EMPTY, "muted")
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(self.canvas)
        self.area.viewport().setAutoFillBackground(False)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.area, 1)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        picture = link_picture(snapshot)
        self.canvas.show_picture(picture)
        self.empty.setVisible(not picture.places)
        self.area.setVisible(bool(picture.places))
