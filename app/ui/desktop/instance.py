"""One window for one folder of data: a second start raises the first."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

RAISE: Final = b"raise\n"
DONE: Final = b"raised\n"
CONNECT_MS: Final = 2000
ANSWER_MS: Final = 5000


class SingleInstance(QObject):
    """A lock in the folder decides who is first, and dies with its process; a local socket carries the wish.

    The lock of a process that was killed is taken over, and so is the socket that it left.
    Attributes: first, whether this process holds the folder. Signals: raise_wanted(), another start asked for it.
    """

    raise_wanted = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.name = f"shardboard-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]}"
        self._lock = QLockFile(str(folder / "window.lock"))
        self._lock.setStaleLockTime(0)  # age says nothing: only a process that is gone gives its lock up
        self.first = self._lock.tryLock(0) or self._lock.error() is not QLockFile.LockError.LockFailedError
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._serve)
        if self.first:
            QLocalServer.removeServer(self.name)
            self._server.listen(self.name)

    def ask_to_raise(self) -> bool:
        """From a second start: whether the first window said that it came forward."""
        socket = QLocalSocket()
        socket.connectToServer(self.name)
        if not socket.waitForConnected(CONNECT_MS):
            return False
        socket.write(RAISE)
        heard = b""
        while not heard.endswith(b"\n") and socket.waitForReadyRead(ANSWER_MS):
            heard += socket.readAll().data()
        socket.abort()
        return heard == DONE

    def close(self) -> None:
        self._server.close()
        if self.first:
            self._lock.unlock()

    def _serve(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(lambda socket=socket: self._hear(socket))
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._hear(socket)

    def _hear(self, socket: QLocalSocket) -> None:
        """A line of a fixed length from the same user; anything else is hung up on."""
        if socket.bytesAvailable() < len(RAISE):
            return
        if socket.read(len(RAISE)).data() == RAISE:
            self.raise_wanted.emit()
            socket.write(DONE)
            socket.flush()
            socket.disconnectFromServer()
        else:
            socket.abort()
