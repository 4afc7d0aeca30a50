"""Agents that announce themselves on the local network (Bonjour, RFC 6763)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zeroconf import InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from app.core.cluster.address import Address
from app.core.snapshot import DiscoveredAgent
from app.core.text import phrase
from shardd.agent.announce import SERVICE_TYPE
from shardd.host.names import clean_name

RESOLVE_MS = 3000


class Discovery:
    """on_change() after agents or problem changed. Nothing that is announced is trusted: it is only shown."""

    def __init__(self, on_change: Callable[[], None], interfaces: list[str] | None = None) -> None:
        self._on_change = on_change
        self._interfaces: list[str] | InterfaceChoice = interfaces or InterfaceChoice.Default
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._found: dict[str, DiscoveredAgent] = {}
        self.problem = ""

    @property
    def agents(self) -> tuple[DiscoveredAgent, ...]:
        return tuple(sorted(self._found.values(), key=lambda agent: (agent.name, agent.address)))

    async def start(self) -> None:
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._interfaces)
            self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._heard])
        except Exception as error:  # zeroconf raises many kinds; the window works without it
            self.problem = phrase(
                "Machines cannot be discovered on this network ({error}). Add them by address.", error=error
            )
            await self.close()
        self._on_change()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
            self._browser = None
        if self._zeroconf is not None:
            await self._zeroconf.async_close()
            self._zeroconf = None

    def _heard(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            self._found.pop(name, None)
            self._on_change()
            return
        task = asyncio.get_running_loop().create_task(self._resolve(zeroconf, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, zeroconf: Zeroconf, name: str) -> None:
        info = AsyncServiceInfo(SERVICE_TYPE, name)
        if not await info.async_request(zeroconf, RESOLVE_MS) or not info.port:
            return
        hosts = info.parsed_scoped_addresses(IPVersion.V4Only) or info.parsed_scoped_addresses()
        if not hosts:
            return
        texts = {
            key.decode(errors="replace"): (value or b"").decode(errors="replace")
            for key, value in info.properties.items()
        }
        self._found[name] = DiscoveredAgent(
            name=clean_name(texts.get("name", "")) or name.removesuffix("." + SERVICE_TYPE),
            address=str(Address(hosts[0], info.port)),
            fingerprint=texts.get("fingerprint", "")[:64],
            version=clean_name(texts.get("version", "")),
        )
        self._on_change()
