"""What the configuration says of us, and what the DNS adds."""

from pathlib import Path
from typing import Any

from postroad.lab.ca import Authority
from postroad.model import StoredKey
from postroad.runtime.certificate import read_facts, write_self_signed
from postroad.runtime.config import Config
from postroad.runtime.own_setup import own_setup
from postroad.storage.keys import FileKeys
from postroad.trust.dkim import Algorithm, generate
from tests.fake_dns import FakeDns

HOST = "mail.here.test"
DNS = {
    HOST: {"A": ["198.51.100.7"], "AAAA": ["2001:4860::7"]},
    "out.here.test": {"A": ["198.51.100.8"]},
}


def config(**sections: dict[str, Any]) -> Config:
    return Config.model_validate({"server": {"hostname": HOST}} | sections)


async def test_addresses() -> None:
    dns = FakeDns(DNS)
    assert (await own_setup(config(), dns)).addresses == ("198.51.100.7", "2001:4860::7")
    helo = config(delivery={"helo": "out.here.test"})
    assert (await own_setup(helo, dns)).addresses == ("198.51.100.8",)
    source = config(delivery={"source_ipv4": "192.0.2.5"})
    assert (await own_setup(source, dns)).addresses == ("192.0.2.5",)
    given = await own_setup(source, dns, addresses=["2001:DB8::1"])
    assert given.addresses == ("2001:db8::1",)


async def test_services_and_certificate(tmp_path: Path) -> None:
    clear = await own_setup(config(listen={"pop3": []}), FakeDns(DNS))
    assert clear.ports == {"submission": 587}
    assert clear.tlsa == ""
    leaf = Authority(tmp_path / "ca").issue(HOST)
    tls = {"certificate": str(leaf.certificate), "key": str(leaf.key)}
    secure = await own_setup(config(tls=tls), FakeDns(DNS))
    assert set(secure.ports) == {"submission", "submissions", "pop3", "pop3s"}
    assert secure.tlsa == read_facts(leaf.certificate.read_bytes()).tlsa
    write_self_signed(leaf.certificate, leaf.key, (HOST,))
    assert (await own_setup(config(tls=tls), FakeDns(DNS))).tlsa == ""
    leaf.certificate.unlink()
    assert (await own_setup(config(tls=tls), FakeDns(DNS))).tlsa == ""


async def test_keys(tmp_path: Path) -> None:
    store = FileKeys(tmp_path / "keys")
    for selector, times in (
        ("new", {}),
        ("signs", {"published_at": 1.0, "signs_from": 1.0}),
        ("old", {"published_at": 1.0, "signs_from": 1.0, "signs_until": 2.0}),
    ):
        key = generate("here.test", selector, Algorithm.ED25519_SHA256)
        store.put(StoredKey("here.test", selector, key.algorithm.value, key.pem(), 0.0, **times))
    there = config(server={"hostname": HOST, "data_dir": str(tmp_path)})
    setup = await own_setup(there, FakeDns(DNS), domain="here.test")
    assert [(each.selector, each.signs) for each in setup.keys] == [("new", False), ("signs", True)]
    assert all(each.text.startswith("v=DKIM1; k=ed25519;") for each in setup.keys)
    assert (await own_setup(there, FakeDns(DNS), domain="other.test")).keys == ()


async def test_the_policy_of_ours() -> None:
    section = {"mode": "enforce", "mx": ["MX1.here.test"]}
    found = await own_setup(config(mta_sts=section), FakeDns(DNS))
    assert (found.sts_mode.value, found.sts_hosts) == ("enforce", ("mx1.here.test",))
    assert found.sts_record == ""  # somebody else serves it
    assert len(found.sts_id) == 20
