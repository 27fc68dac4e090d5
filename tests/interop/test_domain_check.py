"""`postroad domain`: Knot publishes (signed) what `records` prints, `check` asks through Unbound."""

import json
from pathlib import Path

import pytest

from peers.dns import Knot, Unbound
from peers.tools import free_port
from postroad.cli.main import main
from postroad.lab.ca import Authority

CONFIG = """
[server]
hostname = "mail.here.test"
data_dir = "{directory}/data"
[tls]
certificate = "{certificate}"
key = "{key}"
[delivery]
allow_private = true
source_ipv4 = "198.51.100.7"
nameservers = ["127.0.0.1:{port}"]
"""
MTA_STS = '_mta-sts TXT "v=STSv1; id=1"\nmta-sts CNAME mail\n'
REVERSE = "100.51.198.in-addr.arpa"


def test_what_is_asked_for_is_found_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf = Authority(tmp_path / "ca").issue("mail.here.test")
    port = free_port()
    config = tmp_path / "postroad.toml"
    config.write_text(
        CONFIG.format(directory=tmp_path, certificate=leaf.certificate, key=leaf.key, port=port)
    )
    options = ["--config", str(config)]
    assert main(["domain", "records", "here.test", "--zone", *options]) == 0
    lines = capsys.readouterr().out.splitlines(keepends=True)
    zones = {
        zone: "".join(line for line in lines if line.split()[0].endswith(f"{zone}."))
        for zone in ("here.test", REVERSE)
    }
    assert sum(text.count("\n") for text in zones.values()) == len(lines)
    zones["here.test"] += MTA_STS

    with Knot(zones, signed=zones) as knot, Unbound([knot], port=port, signed=zones):
        assert main(["domain", "check", "here.test", "--json", *options]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        # Nothing signs for it yet; all else is well, DANE by DNSSEC.
        assert [each["topic"] for each in findings if each["level"] != "ok"] == ["DKIM"]

    other = Authority(tmp_path / "other").issue("mail.here.test")
    leaf.certificate.write_bytes(other.certificate.read_bytes())
    zones["here.test"] = zones["here.test"].replace("v=spf1 ip4:198.51.100.7", "v=spf1 ip4:1.2.3.4")
    with Knot(zones, signed=zones) as knot, Unbound([knot], port=port, signed=zones):
        assert main(["domain", "check", "here.test", *options]) == 1
        shown = capsys.readouterr().out
        assert "PROBLEM  DANE     _25._tcp.mail.here.test does not fit our certificate" in shown
        assert "PROBLEM  SPF      198.51.100.7 for here.test: fail" in shown
        assert main(["domain", "check", "here.test", "--zone", *options]) == 1
        mending = capsys.readouterr().out
        assert 'here.test. 3600 IN TXT "v=spf1 ip4:198.51.100.7 ip4:1.2.3.4 -all"\n' in mending
        assert "_25._tcp.mail.here.test. 3600 IN TLSA 3 1 1 " in mending
