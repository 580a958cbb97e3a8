"""Resolves names to addresses without blocking.

libcurl's own resolver cannot refuse an answer, and a hanging name server blocks it. Here one thread runs any number of
lookups at once. Lookups of one host are shared, and answers are cached for their TTL, a minute at most.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from webhooks.rules.destination import Address

LIFETIME_SECONDS = 3.0
"""The deadline of one lookup, all servers and retries included."""
MAX_KEPT_SECONDS = 60.0
_HOSTS_KEPT_SECONDS = 5.0
_SECOND_FAMILY_SECONDS = 0.3
"""How long a lookup waits for the other address family after one has answered: some servers never answer AAAA."""
_MAX_KEPT = 10_000
_DNS_PORT = 53

Addresses = tuple[Address, ...]


class NameUnresolved(Exception):
    """The name has no address, or no server answered in time."""


class Resolver:
    """Looks names up in ``/etc/hosts``, then at name servers (``host`` or ``host:port``; by default the system's).

    To be used by one thread. Lookups run in a second thread, which starts with the first of them.
    """

    def __init__(
        self, *, servers: Sequence[str] = (), hosts: Path = Path("/etc/hosts"), on_done: Callable[[], None]
    ) -> None:
        self._servers = servers
        self._hosts = hosts
        self._on_done = on_done
        self._kept: dict[str, tuple[float, Addresses]] = {}
        self._under_way: dict[str, Future[Addresses]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def lookup(self, host: str) -> Addresses | Future[Addresses]:
        """Return known addresses at once, else a future of them, which may raise :class:`NameUnresolved`.

        ``on_done`` is called from another thread when a future is done.
        """
        # Look for a running lookup before the cache: a lookup that ends in between has cached its answer by then.
        future = self._under_way.get(host)
        is_under_way = future is not None and not future.done()
        kept = self._kept.get(host)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        if local := self._local(host):
            self._keep(host, local, _HOSTS_KEPT_SECONDS)
            return local
        if future is None or not is_under_way:
            future = asyncio.run_coroutine_threadsafe(self._ask(host), self._running_loop())
            self._under_way[host] = future
            future.add_done_callback(lambda _: self._on_done())
        return future

    def close(self) -> None:
        """Abandon running lookups and end the thread."""
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="webhook-dns", daemon=True)
            self._thread.start()
        return self._loop

    def _keep(self, host: str, addresses: Addresses, seconds: float) -> None:
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[host] = (time.monotonic() + min(seconds, MAX_KEPT_SECONDS), addresses)

    def _local(self, host: str) -> Addresses:
        try:
            lines = self._hosts.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        found = []
        for line in lines:
            address, *names = line.partition("#")[0].lower().split() or [""]
            if host in names:
                found.append(address)
        if not found and (host == "localhost" or host.endswith(".localhost")):
            found = ["127.0.0.1", "::1"]
        return tuple(ip_address(text) for text in found if _is_address(text))

    async def _ask(self, host: str) -> Addresses:
        try:
            name = dns.name.from_text(host).derelativize(dns.name.root)
            resolver = self._new_resolver()
        except (dns.exception.DNSException, UnicodeError) as error:
            raise NameUnresolved(_reason_of(error)) from error
        asked = {
            asyncio.create_task(resolver.resolve(name, kind, lifetime=LIFETIME_SECONDS, search=False))
            for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
        }
        answers, late = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        if late:
            has_answer = any(task.exception() is None for task in answers)
            more, late = await asyncio.wait(late, timeout=_SECOND_FAMILY_SECONDS if has_answer else None)
            answers |= more
        for task in late:
            task.cancel()
        addresses: list[Address] = []
        ttls: list[float] = []
        errors: list[BaseException] = []
        for task in answers:
            if (failure := task.exception()) is not None:
                errors.append(failure)
            else:
                answer = task.result()
                ttls.append(answer.rrset.ttl if answer.rrset is not None else 0)
                addresses += [ip_address(record.to_text()) for record in answer]
        if not addresses:
            raise NameUnresolved(next((_reason_of(error) for error in errors), "no address"))
        addresses.sort(key=lambda address: (address.version, int(address)))
        self._keep(host, tuple(addresses), min(ttls))
        return tuple(addresses)

    def _new_resolver(self) -> dns.asyncresolver.Resolver:
        # A new resolver each time, because the system's name servers may change while the process runs.
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [_server(text) for text in self._servers]
        resolver.timeout = 1.0
        return resolver


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _server(text: str) -> dns.nameserver.Nameserver:
    if _is_address(text):
        return dns.nameserver.Do53Nameserver(text, _DNS_PORT)
    host, _, port = text.rpartition(":")
    return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _reason_of(error: BaseException) -> str:
    match error:
        case dns.resolver.NXDOMAIN():
            return "the name does not exist"
        case dns.resolver.NoAnswer():
            return "the name has no address"
        case dns.exception.Timeout():
            return "the name servers did not answer in time"
        case _:
            return f"{type(error).__name__}: {error}"[:200]
