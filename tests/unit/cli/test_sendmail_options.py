"""What the options of sendmail are read as."""

from pathlib import Path

import pytest

from postroad.cli.errors import CommandFailed
from postroad.cli.sendmail_options import parse
from postroad.model import Notify, Ret


def test_options() -> None:
    options = parse(
        ["-oem", "-oi", "-odb", "-N", "failure,delay", "-Rhdrs", "-Vid+1", "-t", "--", "-a@b.test"]
    )
    assert not options.dot_ends
    assert options.notify == Notify.FAILURE | Notify.DELAY
    assert options.ret is Ret.HEADERS
    assert options.envid == "id+1"
    assert options.recipients == ["-a@b.test"]
    assert parse(["-fa@b.test", "-bm", "-G", "-v", "x"]).sender == "a@b.test"
    assert parse(["-N", "never"]).notify is Notify.NEVER


@pytest.mark.parametrize("argv", [["-Z"], ["-f"], ["-N", "always"], ["-R", "some"]])
def test_options_that_are_none(argv: list[str]) -> None:
    with pytest.raises(CommandFailed) as error:
        parse(argv)
    assert error.value.code == 64


def test_options_that_change_nothing_and_take_a_value() -> None:
    assert parse(["-B", "8BITMIME", "-odb", "-h5", "-OTimeout=1m", "x@b.test"]).recipients == [
        "x@b.test"
    ]
    assert parse(["-C", "/a", "x"]).config == Path("/a")
    assert parse(["-C/a", "x"]).config == Path("/a")
