"""Addresses of HTTPS: taken apart, or refused."""

import pytest

from postroad.wire.http import HttpsAddress, parse_https


@pytest.mark.parametrize(
    ("text", "host", "port", "target"),
    [
        ("https://d.test", "d.test", 443, "/"),
        ("HTTPS://D.Test/V1/x?y=z#part", "d.test", 443, "/V1/x?y=z"),
        ("https://d.test:8443/v1", "d.test", 8443, "/v1"),
        ("https://d.test?x", "d.test", 443, "/?x"),
        ("https://192.0.2.1/", "192.0.2.1", 443, "/"),
    ],
)
def test_what_it_tells(text: str, host: str, port: int, target: str) -> None:
    address = parse_https(text)
    assert address == HttpsAddress(host, port, target)
    assert parse_https(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://d.test/",
        "https:d.test",
        "https://",
        "https:///x",
        "https://user:password@d.test/",
        "https://d.test:0/",
        "https://d.test:65536/",
        "https://d.test:/",
        "https://[::1]/",
        "https://d.test/a b",
        "https://d.test/\r\nX: y",
        "https://d\u00e9.test/",
        "https://d.test/\u00e9",
        "https://-d.test/",
        f"https://d.test/{'x' * 2000}",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no address of the form"):
        parse_https(text)
