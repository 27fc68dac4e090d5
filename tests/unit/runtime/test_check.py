"""What `postroad config check` says of limits that do not go together."""

from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.check import problems_of
from postroad.runtime.config import Config


def problems(tmp_path: Path, **sections: dict[str, Any]) -> list[str]:
    server = {"hostname": "mx.us.test", "data_dir": tmp_path / "data"}
    config = Config.model_validate({"server": server, **sections})
    return [each for each in problems_of(config, Path("postroad.toml")) if "check_seconds" in each]


def test_the_defaults_go_together(tmp_path: Path) -> None:
    everything = {
        "rspamd": "127.0.0.1:11333",
        "dns_block_lists": ["bl.test"],
        "reverse_dns": "note",
        "scan_failure": "accept",
    }
    assert problems(tmp_path, abuse=everything) == []


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"abuse": {"clamav": "127.0.0.1:3310", "scan_seconds": 30}},
            "abuse.scan_seconds = 30: is not below limits.check_seconds = 30",
        ),
        (
            {"abuse": {"milters": ["127.0.0.1:8891"], "scan_seconds": 31}},
            "abuse.scan_seconds = 31",
        ),
        ({"limits": {"check_seconds": 15}}, "trust.spf_seconds = 20"),
        ({"trust": {"key_seconds": 40}}, "trust.key_seconds = 40"),
        (
            {"abuse": {"reverse_dns": "note", "reverse_dns_seconds": 15}},
            "abuse.reverse_dns_seconds = 15: waited for 2 times, it is not below",
        ),
        (
            {"abuse": {"dns_allow_lists": ["wl.test"], "dns_list_seconds": 60}},
            "abuse.dns_list_seconds = 60",
        ),
    ],
)
def test_waits_that_are_longer_than_a_check(
    tmp_path: Path, sections: dict[str, Any], words: str
) -> None:
    (problem,) = problems(tmp_path, **sections)
    assert problem.startswith(f"postroad.toml: {words}")
    assert "451" in problem


def test_what_is_off_takes_no_time(tmp_path: Path) -> None:
    limits = {"check_seconds": 1}
    assert problems(tmp_path, limits=limits, trust={"verify": False}) == []


def test_links_that_lead_to_nobody(tmp_path: Path) -> None:
    news = {
        "senders": ["news@us.test"],
        "kind": "broadcast",
        "unsubscribe_domain": "news.us.test",
        "dkim_domain": "us.test",
    }
    listen = {"http": ["127.0.0.1:8025"]}

    def found(**sections: Any) -> list[str]:
        server = {"hostname": "mx.us.test", "data_dir": tmp_path / "data"}
        config = Config.model_validate({"server": server, "streams": {"news": news}, **sections})
        return [each for each in problems_of(config, Path("postroad.toml")) if "streams." in each]

    assert found(listen=listen) == []
    (nobody,) = found()
    assert nobody.startswith(
        "postroad.toml: streams.news: the links in its mail would lead to nobody"
    )
    (unsigned,) = found(listen=listen, trust={"sign": False})
    assert "trust.sign is false" in unsigned
