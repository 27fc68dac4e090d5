"""What parts are told of the configuration."""

from pathlib import Path

from postroad.runtime import settings
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
