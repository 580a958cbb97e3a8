from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.rules.destination import FORBIDDEN, BadUrl, Fault, Network, parse, parse_networks, why_forbidden


@pytest.mark.parametrize(
    ("url", "rebuilt"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTP://Example.COM.:8080/a%20b?c=d#part", "http://example.com:8080/a%20b?c=d"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://bücher.example/ä?ö", "https://xn--bcher-kva.example/%C3%A4?%C3%B6"),
        ("https://my_host.internal/x/../y", "https://my_host.internal/x/../y"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://example.com?x=1", "http://example.com/?x=1"),
    ],
)
def test_a_url_is_rebuilt_from_what_was_read(url: str, rebuilt: str) -> None:
    assert parse(url).url == rebuilt


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", Fault.SCHEME),
        ("example.com", Fault.SCHEME),
        ("ftp://example.com/", Fault.SCHEME),
        ("file:///etc/passwd", Fault.SCHEME),
        ("https://", Fault.NOT_A_NAME),
        ("https://user@example.com/", Fault.USER_INFO),
        ("https://user:password@example.com/", Fault.USER_INFO),
        ("https://@example.com/", Fault.USER_INFO),
        ("https://example.com:0/", Fault.PORT),
        ("https://example.com:65536/", Fault.NOT_A_URL),
        ("https://example.com:http/", Fault.NOT_A_URL),
        ("https://exa mple.com/", Fault.UNPRINTABLE),
        ("https://example.com/\r\nX-Evil: 1", Fault.UNPRINTABLE),
        ("https://example.com/\x00", Fault.UNPRINTABLE),
        ("https://example.com\\@evil.example/", Fault.UNPRINTABLE),
        ("https://[::1/", Fault.NOT_A_URL),
        ("https://[fe80::1%25eth0]/", Fault.INTERFACE),
        ("https://a..b/", Fault.NOT_A_NAME),
        ("https://-a.example/", Fault.NOT_A_NAME),
        ("https://exa%6dple.com/", Fault.NOT_A_NAME),
        (f"https://{'a' * 64}.example/", Fault.NOT_A_NAME),
        ("https://1.2.3.4.5/", Fault.NOT_IPV4),
        ("https://1.2.3.256/", Fault.NOT_IPV4),
        ("https://256.1/", Fault.NOT_IPV4),
        ("https://4294967296/", Fault.NOT_IPV4),
        ("https://08.1/", Fault.NOT_IPV4),
        ("https://a.1/", Fault.NOT_IPV4),
        (f"https://example.com/{'a' * 2000}", Fault.TOO_LONG),
    ],
)
def test_what_is_no_url_for_webhooks_is_refused_with_the_reason(url: str, fault: Fault) -> None:
    with pytest.raises(BadUrl) as refused:
        parse(url)

    assert refused.value.args == (fault,)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0X7F.0.0.1", "2130706433", "017700000001", "0177.0.0.1",
        "0x7f000001", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]",  # noqa: RUF001 — meant
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::1]", "[::7f00:1]", "[::]", "0", "0.0.0.0",  # noqa: S104
        "10.1.2.3", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "192.88.99.1", "198.19.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b:1::1]", "[100::1]",
        "[2001::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[2002:a00:1::]", "[64:ff9b::169.254.169.254]",
        "[::ffff:0:127.0.0.1]",
    ],
)  # fmt: skip
def test_every_spelling_of_an_address_that_is_not_public_is_forbidden(host: str) -> None:
    destination = parse(f"https://{host}/")

    assert destination.address is not None
    assert why_forbidden(destination.address)


@pytest.mark.parametrize(
    "host",
    ["8.8.8.8", "1.1", "134744072", "[2606:4700:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "172.32.0.1"],
)
def test_public_addresses_are_not_forbidden(host: str) -> None:
    destination = parse(f"https://{host}/")

    assert destination.address is not None
    assert why_forbidden(destination.address) is None


def test_an_allowed_network_opens_its_addresses_in_every_form_and_no_others() -> None:
    allowed = parse_networks(("127.0.0.0/8", "fd00::/16"))

    for text in ("127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1"):
        assert why_forbidden(ip_address(text), allowed=allowed) is None
    for text in ("10.0.0.1", "::1", "fd01::1"):
        assert why_forbidden(ip_address(text), allowed=allowed)


def test_networks_with_host_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        parse_networks(("10.0.0.1/8",))


@given(st.ip_addresses())
def test_whatever_the_standard_library_calls_private_is_forbidden(address) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 — hypothesis's union
    if address.is_private or address.is_loopback or address.is_multicast or address.is_link_local:
        assert why_forbidden(address)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"https://{text}/"):
        try:
            parse(parse(url).url)
        except BadUrl:
            continue


@pytest.mark.parametrize("network", [network for network, _ in FORBIDDEN], ids=str)
def test_every_row_of_the_table_is_forbidden_from_end_to_end_and_in_every_wrapping(network: Network) -> None:
    for address in (network[0], network[-1]):
        assert why_forbidden(address)
        if isinstance(address, IPv4Address):
            number = int(address)
            for wrapped in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80, number):
                assert why_forbidden(IPv6Address(wrapped)), IPv6Address(wrapped)


@pytest.mark.parametrize(
    "public", ["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
               "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
               "198.17.255.255", "198.20.0.0", "223.255.255.255", "2000::", "2001:200::", "2606::1", "3ffe::1"]
)  # fmt: skip
def test_what_lies_right_beside_a_forbidden_network_is_not_forbidden(public: str) -> None:
    assert why_forbidden(ip_address(public)) is None
