"""A DNS server for tests: answers what it is told, or does not answer at all."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENCE = "silence"
SERVFAIL = "servfail"
_ALIAS = "alias of "


def alias_of(name: str) -> str:
    """Say that a name is another's alias."""
    return _ALIAS + name


class NameServer(asyncio.DatagramProtocol):
    """Knows ``{"name": ["1.2.3.4", "::1"]}``; a list of lists is one answer after the other, the last one repeated.

    ``{"A": …, "AAAA": …}`` answers by what is asked for.
    """

    def __init__(self, names: Mapping[str, object], *, ttl: int = 60) -> None:
        self.names = dict(names)
        self.asked: Counter[str] = Counter()
        self._ttl = ttl
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    @property
    def address(self) -> str:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[f"{name} {kind}"] += 1
        known = self.names.get(name)
        if isinstance(known, dict):
            known = known[kind]
        if isinstance(known, list) and any(isinstance(each, list) for each in known):
            known = known[min(self.asked[f"{name} {kind}"], len(known)) - 1]
        if known == SILENCE:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        owner = question.name
        if isinstance(known, str) and known.startswith(_ALIAS):
            target = known.removeprefix(_ALIAS)
            response.answer.append(dns.rrset.from_text(owner, self._ttl, "IN", "CNAME", f"{target}."))
            owner, known = dns.name.from_text(target), self.names.get(target)
        if known == SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif known is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif isinstance(known, list):
            fitting = [text for text in known if (":" in text) == (kind == "AAAA")]
            if fitting:
                response.answer.append(dns.rrset.from_text(owner, self._ttl, "IN", kind, *fitting))
        assert self._transport is not None
        self._transport.sendto(response.to_wire(), addr)


async def start_name_server(names: Mapping[str, object], *, ttl: int = 60) -> NameServer:
    loop = asyncio.get_running_loop()
    _, server = await loop.create_datagram_endpoint(lambda: NameServer(names, ttl=ttl), local_addr=("127.0.0.1", 0))
    return server
