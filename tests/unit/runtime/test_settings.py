"""What parts are told of the configuration."""

from pathlib import Path

from postroad.model import Address
from postroad.queue import StreamPolicy, UnknownPolicy
from postroad.runtime import settings
from postroad.runtime.lists import suppressing_streams
from postroad.service.mailing import StreamLinks
from tests.unit.runtime.test_compose import make_config


def test_the_first_worker_inherits_from_those_there_are_not_any_more(tmp_path: Path) -> None:
    config = make_config(tmp_path, server={"workers": 2, "node": "mx"})
    first, second = settings.queue(config, "n", 0), settings.queue(config, "n", 1)
    assert (first.node, second.node) == ("mx", "mx-1")
    assert second.inherits is None
    assert first.inherits is not None
    names = ["mx", "mx-1", "mx-2", "mx-10", "mx-x", "other-2", "2", "mx-"]
    assert [name for name in names if first.inherits(name)] == ["mx-2", "mx-10"]
    alone = settings.queue(make_config(tmp_path), "n", 0)
    assert alone.inherits is not None
    assert alone.inherits("n-1")


def test_what_streams_say(tmp_path: Path) -> None:
    streams = {
        "codes": {
            "senders": ["codes@us.test"],
            "kind": "transactional",
            "unknown": "hold",
            "retry_first_seconds": "10s",
            "lifetime_seconds": "10m",
            "dkim_domain": "codes.us.test",
        },
        "news": {
            "senders": ["news@us.test"],
            "kind": "broadcast",
            "unsubscribe_domain": "news.us.test",
            "unsubscribe_address": "leave@us.test",
        },
        "plain": {"senders": ["plain@us.test"]},
    }
    config = make_config(tmp_path, streams=streams)
    queue = settings.queue(config, "n")
    assert queue.of("codes") == StreamPolicy(UnknownPolicy.HOLD, 10.0, None, 600.0)
    assert queue.of("plain") == StreamPolicy()
    assert settings.intake(config).signing_domains == {"codes": "codes.us.test"}
    leave = Address("leave", "us.test")
    assert settings.stream_links(config) == {"news": StreamLinks("news", "news.us.test", leave)}
    assert suppressing_streams(config) == ["codes", "news"]
