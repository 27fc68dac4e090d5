import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroad.network import AsyncNetwork
from postroad.runtime.config import Config
from postroad.runtime.config.describe import dump
from postroad.runtime.guards import Guards
from postroad.storage.memory import MemoryStore
from postroad.storage.moments import LocalMoments
from tests.fake_dns import FakeDns
from tests.unit.policy.checks.asking import mail_from, passes
from tests.unit.service.fakes import FakeClock

ROOT = Path(__file__).resolve().parents[3]
DNS = FakeDns({})


def config_of(**abuse: Any) -> Config:
    return Config.model_validate(
        {"server": {"hostname": "mx.us.test", "data_dir": Path("/tmp/x")}, "abuse": abuse}
    )


def guards() -> Guards:
    return Guards(FakeClock(), AsyncNetwork(), MemoryStore().standing, LocalMoments())


def names(config: Config) -> list[str]:
    made = guards()
    return [
        each.name for each in (*made.early(config, DNS), *made.late(config), *made.last(config))
    ]


def test_nothing_is_asked_by_default() -> None:
    assert names(config_of()) == []


def test_all_that_is_set_is_asked_the_cheapest_first() -> None:
    everything = config_of(
        client_connections_per_minute=60,
        account_messages_per_hour=100,
        client_recipients_per_hour=100,
        dns_block_lists=["bl.test"],
        helo="reject",
        reverse_dns="note",
        greylist=True,
        rspamd="127.0.0.1:11333",
        clamav="[::1]:3310",
        standing="note",
    )
    assert names(everything) == [
        "connection-rate",
        "message-rate",
        "recipient-rate",
        "helo",
        "reverse-dns",
        "dns-lists",
        "greylist",
        "rspamd",
        "clamav",
        "standing",
    ]
    assert names(config_of(dns_block_lists=["bl.test"], dns_block_action="off")) == []
    assert names(config_of(clamav="127.0.0.1:3310", clamav_action="off")) == []


def test_each_milter_is_a_check() -> None:
    assert names(config_of(milters="/run/a")) == ["milter"]
    assert names(config_of(milters=["[::1]:8891", "/run/a"])) == ["milter-1", "milter-2"]


async def test_a_reload_forgets_no_counts() -> None:
    made = guards()
    (first,) = made.early(config_of(client_messages_per_hour=1), DNS)
    assert await passes(mail_from(), first)
    (again,) = made.early(config_of(client_messages_per_hour=1), DNS)
    assert not await passes(mail_from(), again)
    (more,) = made.early(config_of(client_messages_per_hour=2), DNS)
    assert await passes(mail_from(), more)


@pytest.mark.parametrize(
    ("abuse", "words"),
    [
        ({"rspamd": "scanner.test:1"}, "is no IP address"),
        ({"clamav": "127.0.0.1"}, "has no port"),
        ({"milters": ["filter.test:1"]}, "is no IP address"),
        ({"milters": ["127.0.0.1"]}, "has no port"),
        ({"milters": [f"/{'x' * 107}"]}, "is longer than"),
        ({"milters": ["/a", "/a"]}, "is named twice"),
        ({"dns_block_lists": ["spamhaus"]}, "names no list"),
        ({"exempt": ["192.0.2.1/24"]}, "host bits"),
        ({"helo": "laugh"}, "'off', 'note', 'quarantine' or 'reject'"),
    ],
)
def test_mistakes(abuse: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config_of(**abuse)


def test_what_is_dumped_can_be_read_again() -> None:
    import tomllib

    config = config_of(exempt="192.0.2.0/24, 2001:db8::/32", rspamd="127.0.0.1:1", clamav="")
    again = Config.model_validate(tomllib.loads(dump(config)))
    assert again.abuse == config.abuse
    assert "hush hush" not in dump(config_of(rspamd_password="hush hush"))


def test_the_examples_of_the_documentation() -> None:
    import tomllib

    text = (ROOT / "docs/howto/keep-abuse-out.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        assert names(config_of(**tomllib.loads(example)["abuse"]))
    documented = set(re.findall(r"`([a-z_]+)`", text))
    assert {"helo", "reverse_dns", "greylist", "scan_max_octets", "dns_list_seconds"} <= documented
    assert names(config_of(scan_failure="accept")) == []
