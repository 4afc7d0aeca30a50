"""What each machine holds of each model, and what is on its way to it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from app.core.snapshot import Snapshot
from app.core.text import phrase
from app.ui.cluster.picture import Cell, ShardMatrix, shard_matrix
from app.ui.text import as_shown, tr
from app.ui.theme import colour, scaled, tokens
from app.ui.theme.tokens import blend
from app.ui.widgets import Card, WrappedLabel
from app.ui.widgets.labels import plain_tooltip

EMPTY = phrase("No machine holds a shard yet. Deploy a model: its layers stay on their disks.")


class ShardsPanel(Card):
    """A table: models down, machines across. Arrow keys walk through it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix = ShardMatrix()
        self.table = QTableWidget()
        self.table.setAccessibleName(tr("Shards by model and machine"))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setMinimumSectionSize(scaled(176))
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.empty = WrappedLabel(EMPTY, "muted")
        self.spares = WrappedLabel(role="muted")
        self.body.addWidget(self.spares)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.table, 1)
        self.show_snapshot(Snapshot())

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.spares.setText(snapshot.spares.text)
        self.spares.setVisible(bool(snapshot.spares.text))
        matrix = shard_matrix(snapshot)
        self.empty.setVisible(not matrix.models)
        self.table.setVisible(bool(matrix.models))
        if matrix == self.matrix:
            return
        former, self.matrix = self.matrix, matrix
        if (former.models, former.nodes) != (matrix.models, matrix.nodes):
            self.table.clear()
            self.table.setRowCount(len(matrix.models))
            self.table.setColumnCount(len(matrix.nodes))
            self.table.setHorizontalHeaderLabels(list(matrix.nodes))
            self.table.setVerticalHeaderLabels(list(matrix.models))
        for row, cells in enumerate(matrix.rows):
            for column, cell in enumerate(cells):
                self._show_cell(row, column, cell)

    def _show_cell(self, row: int, column: int, cell: Cell) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(row, column, item)
        item.setText(as_shown(cell.text) or "–")
        item.setToolTip(plain_tooltip(cell.detail))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{self.matrix.nodes[column]}: {as_shown(cell.detail)}")
        values = tokens()
        ground = QColor(0, 0, 0, 0)
        if cell.loaded or cell.moving is not None:
            share = 0.22 if cell.moving is None else 0.10 + 0.2 * cell.moving
            ground = colour(blend(values.node(column), values.surface, share))
        item.setBackground(ground)
        item.setForeground(colour(values.text if cell.text else values.text_muted))
