"""Checks from the configuration: the example of the documentation, and mistakes."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroad.model import Address, DeliveryState, Envelope, Origin, Recipient, ServerKind
from postroad.network import AsyncNetwork, SystemClock, SystemEntropy
from postroad.policy import Policy
from postroad.ports import QueueFilter
from postroad.runtime import checks
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.guards import Guards
from postroad.storage.memory import MemoryStore
from postroad.storage.moments import LocalMoments
from tests.fake_dns import FakeDns

ROOT = Path(__file__).resolve().parents[3]
HOWTO = (ROOT / "docs/howto/write-a-check.md").read_text(encoding="utf-8")
BOB = Address("bob", "us.test")
STRANGER = Address("a", "elsewhere.test")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    (example,) = re.findall(r"```python\n(.*?)```", HOWTO, re.DOTALL)
    place = tmp_path / "checks"
    place.mkdir()
    (place / "house_rules.py").write_text(example, encoding="utf-8")
    (place / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    yield place
    sys.modules.pop("house_rules", None)
    sys.path[:] = [each for each in sys.path if each != str(place)]


def config_of(tmp_path: Path, **policy: Any) -> Config:
    return Config.model_validate(
        {
            "server": {"hostname": "mx.us.test", "data_dir": tmp_path / "data"},
            "trust": {"verify": False},
            "policy": {"path": tmp_path / "checks", **policy},
        }
    )


def policy_of(config: Config) -> Policy:
    clock = SystemClock()
    guards = Guards(clock, AsyncNetwork(), MemoryStore().standing, LocalMoments())
    return checks.make_policy(config, clock, SystemEntropy(), FakeDns({}), guards)


async def test_the_example_of_the_documentation(tmp_path: Path, directory: Path) -> None:
    import tomllib

    (toml,) = re.findall(r"```toml\n(.*?)```", HOWTO, re.DOTALL)
    section = tomllib.loads(toml)["policy"]
    config = config_of(tmp_path, checks=section["checks"])
    links = b"https://a.test/ " * 60
    async with System.open(config) as system:
        await system.domains.add("us.test")
        account, _ = await system.accounts.add(BOB, "secret")

        async def send(sender: Address, body: bytes, server: ServerKind) -> Any:
            envelope = Envelope(sender, (Recipient(BOB),))
            targets = await system.recipients.resolve(BOB)
            assert isinstance(targets, tuple)
            origin = Origin(server)
            reply = await system.intake.submit(envelope, b"Subject: x\r\n\r\n" + body, origin)
            assert reply.code == 250
            (message, *_) = await system.journeys.find(address=str(sender))
            return await system.journeys.of(message.id)

        journey = await send(STRANGER, b"hello https://one.test\r\n", ServerKind.MX)
        assert ("check", True) in [(e.what, "accept" in e.text) for e in journey.lines]
        journey = await send(Address("spammer", "b.test"), links, ServerKind.MX)
        texts = [line.text for line in journey.lines]
        assert any("many_links: quarantine" in text and "60 links" in text for text in texts)
        assert any(text.startswith("in the Junk of bob@us.test") for text in texts)
        journey = await send(BOB, links, ServerKind.SUBMISSION)
        assert all(line.what != "check" for line in journey.lines)

        inbox = await system.store.mailboxes.listing(account.inbox)
        assert inbox is not None
        assert len(inbox.uids) == 2  # what POP3 shows
        junk = await system.store.mailboxes.named(account.id, "Junk")
        assert junk is not None
        listing = await system.store.mailboxes.listing(junk.id)
        assert listing is not None
        (entry,) = await system.store.mailboxes.entries(junk.id, list(listing.uids))
        assert b"X-Links: 60\r\n" in await system.store.content.read(entry.content)
        states = await system.desk.list(QueueFilter(states=tuple(DeliveryState)))
        assert {each.delivery.state for each in states} == {DeliveryState.DELIVERED}


def test_a_dry_run_by_name(tmp_path: Path, directory: Path) -> None:
    config = config_of(
        tmp_path, checks="house_rules:many_links", dry_run=["many_links", "too_many_hops"]
    )
    assert [each.name for each in policy_of(config).checks] == ["too_many_hops", "many_links"]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"checks": "no_such_module:x"}, r"'no_such_module:x': no_such_module cannot be imported"),
        ({"checks": "broken:x"}, "ZeroDivisionError"),
        ({"checks": "house_rules:nothing"}, "house_rules.py has no nothing"),
        ({"checks": "house_rules:LinkCounter"}, r"LinkCounter is no check.*@postroad.policy.check"),
        ({"dry_run": "spff"}, r"policy.dry_run = 'spff': there is no check.*too_many_hops"),
        ({"path": "/nonexistent/checks"}, "policy.path = '/nonexistent/checks': there is no such"),
    ],
)
def test_mistakes_name_key_and_value(
    tmp_path: Path, directory: Path, policy: dict[str, Any], words: str
) -> None:
    with pytest.raises(checks.ChecksInvalid, match=words):
        policy_of(config_of(tmp_path, **policy))


@pytest.mark.parametrize("named", ["many_links", "a b:c", ["a:b", "a:b"]])
def test_what_names_no_check_is_refused_at_once(tmp_path: Path, named: Any) -> None:
    with pytest.raises(ValueError, match=r"names no check|is there twice"):
        config_of(tmp_path, checks=named)
