"""Telling the local network that an agent is here, by Bonjour (RFC 6763): a name, a version and a fingerprint."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Sequence

from zeroconf import InterfaceChoice
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

import shardd

SERVICE_TYPE = "_shardd._tcp.local."

log = logging.getLogger(__name__)


class Announcement:
    """Announces until closed. A network that does not allow it is logged, and no error: machines can be added by
    address."""

    def __init__(self, name: str, fingerprint: str, port: int, addresses: Sequence[str], host: str) -> None:
        self._info = AsyncServiceInfo(
            SERVICE_TYPE,
            f"{name} {fingerprint[:8]}.{SERVICE_TYPE}",
            port=port,
            addresses=[ipaddress.ip_address(address.split("%")[0]).packed for address in addresses],
            properties={"name": name, "fingerprint": fingerprint, "version": shardd.__version__},
            server=f"{socket.gethostname().split('.')[0]}-{fingerprint[:8]}.local.",
        )
        self._interfaces = [host] if host not in ("0.0.0.0", "::") else InterfaceChoice.Default
        self._zeroconf: AsyncZeroconf | None = None

    async def start(self) -> None:
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._interfaces)
            await self._zeroconf.async_register_service(self._info, allow_name_change=True)
        except Exception as error:  # zeroconf raises many kinds; none of them may stop the agent
            log.warning("cannot announce this machine on the network: %s", error)
            await self.close()

    async def close(self) -> None:
        if self._zeroconf is not None:
            await self._zeroconf.async_close()  # says goodbye for the service as well
            self._zeroconf = None
