from pathlib import Path

import pytest

from postroad.network import Nameserver, nameservers_from_file, parse_nameserver


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", Nameserver("192.0.2.1", 53)),
        ("192.0.2.1:5353", Nameserver("192.0.2.1", 5353)),
        ("2001:db8::1", Nameserver("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", Nameserver("2001:db8::1", 5353)),
        ("127.0.0.1:1053", Nameserver("127.0.0.1", 1053, trusted=True)),
        ("::1", Nameserver("::1", 53, trusted=True)),
    ],
)
def test_parse(text: str, server: Nameserver) -> None:
    assert parse_nameserver(text) == server
    assert parse_nameserver(str(server)) == server


@pytest.mark.parametrize("text", ["ns.test", "192.0.2.1:x", "192.0.2.1:0", "192.0.2.1:65536", ""])
def test_nonsense(text: str) -> None:
    with pytest.raises(ValueError, match="name server"):
        parse_nameserver(text)


def test_resolv_conf(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# me\nsearch a.test\nnameserver 192.0.2.1\nnameserver what\nnameserver ::1\n")
    assert nameservers_from_file(path) == (
        Nameserver("192.0.2.1", 53),
        Nameserver("::1", 53, trusted=True),
    )
    assert nameservers_from_file(tmp_path / "none") == (Nameserver("127.0.0.1", 53, trusted=True),)
