"""``postroad mta-sts``: what is to be published."""

import json
from pathlib import Path

import pytest

from postroad.cli.main import main
from postroad.runtime import outbound
from postroad.trust.mta_sts import parse_policy, parse_record
from tests.fake_dns import FakeDns

CONFIG = """
[server]
hostname = "mail.here.test"
[mta_sts]
mode = "enforce"
mx = ["MX1.here.test", "*.backup.test"]
[delivery]
nameservers = ["127.0.0.1:1"]
"""


def test_policy_and_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text(CONFIG)
    monkeypatch.setenv("POSTROAD_CONFIG", str(file))
    assert main(["mta-sts", "here.test", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["url"] == "https://mta-sts.here.test/.well-known/mta-sts.txt"
    found = parse_record([said["txt"]["_mta-sts.here.test"]])
    assert found
    policy = parse_policy(said["policy"].encode(), domain="here.test", id=found, at=0.0)
    assert policy.mx == ("mx1.here.test", "*.backup.test")
    assert policy.max_age == 604_800
    assert said["txt"]["_smtp._tls.here.test"] == "v=TLSRPTv1; rua=mailto:postmaster@here.test"
    assert main(["mta-sts", "here.test"]) == 0
    shown = capsys.readouterr().out
    assert "    mode: enforce\n" in shown
    assert f'    _mta-sts.here.test. 3600 IN TXT "v=STSv1; id={found};"\n' in shown
    assert "    mta-sts.here.test. 3600 IN CNAME mail.here.test.\n" in shown


class Dns(FakeDns):
    async def close(self) -> None:
        """Nothing is open."""


def test_what_the_dns_says_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text(CONFIG)
    monkeypatch.setenv("POSTROAD_CONFIG", str(file))
    zone = {
        "here.test": {"MX": ["10 mx1.here.test", "20 a.backup.test", "30 old.here.test"]},
        "_smtp._tls.here.test": {"TXT": ["v=TLSRPTv1; rua=mailto:tls@here.test"]},
    }
    monkeypatch.setattr(outbound, "make_resolver", lambda _: Dns(zone))
    assert main(["mta-sts", "here.test", "--json"]) == 0
    shown, warned = capsys.readouterr()
    text = "our policy (mode enforce) does not name old.here.test, to which MX records of here.test"
    assert text in warned
    said = json.loads(shown)
    assert text in said["warnings"][0]
    assert said["txt"]["_smtp._tls.here.test"] == "v=TLSRPTv1; rua=mailto:tls@here.test"


def test_without_more_it_is_our_host_in_testing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text(
        '[server]\nhostname = "mail.here.test"\n[delivery]\nnameservers = ["127.0.0.1:1"]\n'
    )
    monkeypatch.setenv("POSTROAD_CONFIG", str(file))
    assert main(["mta-sts", "here.test", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert "mode: testing\r\nmx: mail.here.test\r\n" in said["policy"]
    assert list(said["txt"]) == ["_mta-sts.here.test", "_smtp._tls.here.test"]


def test_what_is_no_domain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mta-sts", "a..b"]) == 64
    assert "is no domain" in capsys.readouterr().err
