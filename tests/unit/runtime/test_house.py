"""Checks of an operator in a real server: they change by a reload, and break nothing but themselves."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.runtime.house import ImportFailed, house_modules, import_module
from tests.unit.runtime.served import Served, Talk, write_config

CHECK = """\
import asyncio, sys
from postroad.policy import Accept, MailFrom, Reject, Verdict, check
from postroad.model import Reply
import helper_of_house

@check(stage=MailFrom)
async def probe(stage):
    what = stage.envelope.sender.local_part
    if what == "exit":
        sys.exit(3)
    if what == "exit-later":
        await asyncio.sleep(0.001)
        sys.exit(3)
    if what == "cancel":
        raise asyncio.CancelledError
    if what == "timeout":
        async with asyncio.timeout(5):
            await asyncio.sleep(0.001)
    if what == "group":
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.001))
    return Reject(Reply(550, "5.7.1", helper_of_house.WORDS))
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "checks"
    place.mkdir()
    yield place
    for name in ("one_of_house", "two_of_house"):
        sys.modules.pop(name, None)
    sys.path[:] = [each for each in sys.path if each != str(place)]


def test_modules_change_with_their_files_and_only_then(place: Path) -> None:
    one, two = place / "one_of_house.py", place / "two_of_house.py"
    two.write_text("words = 'first'\n")
    one.write_text("import two_of_house\nwords = two_of_house.words\nseen = []\n")

    def load() -> tuple[str, list[int]]:
        with house_modules(place):
            module = import_module("one_of_house")
        return module.words, module.seen

    words, seen = load()
    seen.append(1)
    assert (words, seen) == ("first", [1])
    assert load() == ("first", [1]), "nothing changed: what it remembers stays"
    two.write_text("words = 'other'\n")  # as long, within the same second
    assert load() == ("other", [])
    assert not (place / "__pycache__").exists()


def test_modules_stay_where_new_ones_cannot_be_imported(place: Path) -> None:
    one = place / "one_of_house.py"
    one.write_text("words = 'first'\n")
    with house_modules(place):
        before = import_module("one_of_house")
    one.write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(ImportFailed, match="SystemExit: 3"), house_modules(place):
        import_module("one_of_house")
    assert sys.modules["one_of_house"] is before
    one.write_text("words = 'mended'\n")
    with house_modules(place):
        assert import_module("one_of_house").words == "mended"


def test_another_directory_has_modules_of_its_own(tmp_path: Path, place: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (place / "one_of_house.py").write_text("words = 'here'\n")
    (other / "one_of_house.py").write_text("words = 'there'\n")
    for directory, words in ((place, "here"), (other, "there"), (place, "here")):
        with house_modules(directory):
            assert import_module("one_of_house").words == words
        assert (str(place) in sys.path, str(other) in sys.path) == (
            directory == place,
            directory == other,
        )
    with house_modules(None), pytest.raises(ImportFailed, match="No module named"):
        import_module("one_of_house")


def test_modules_elsewhere_are_left_alone() -> None:
    with house_modules(None):
        assert import_module("os") is os


def said(port: int, sender: str) -> str:
    with Talk(port) as talk:
        assert talk.reply().startswith("220")
        assert talk.say("EHLO client.test").startswith("250")
        return talk.say(f"MAIL FROM:<{sender}@elsewhere.test>")


def test_a_server_with_checks_that_break_and_change(tmp_path: Path) -> None:
    place = tmp_path / "checks"
    place.mkdir()
    (place / "probe_of_house.py").write_text(CHECK)
    (place / "helper_of_house.py").write_text("WORDS = 'one'\n")
    config = write_config(
        tmp_path, f'[policy]\npath = "{place}"\nchecks = ["probe_of_house:probe"]\n'
    )
    with Served(config) as served:
        port = served.ports()["mx"]
        for sender in ("exit", "exit-later", "cancel"):
            assert said(port, sender).startswith("451 4.3.0"), sender
        for sender in ("timeout", "group", "ann"):
            assert said(port, sender) == "550 5.7.1 one", sender
        (place / "helper_of_house.py").write_text("WORDS = 'two'\n")
        served.signal(signal.SIGHUP)
        served.wait_for("reloaded")
        assert said(port, "ann") == "550 5.7.1 two"
        served.signal(signal.SIGTERM)
        assert served.end() == 0
