"""Log lines in their two forms."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from postroad.runtime.config import LogSection
from postroad.runtime.logs import configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def write_some(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, section: LogSection) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging(section)
    log = structlog.get_logger("postroad.test")
    log.debug("not this")
    log.info("hello", peer="192.0.2.1")
    secret = "tell-nobody"
    try:
        raise ValueError(len(secret))
    except ValueError:
        log.exception("failed")
    logging.getLogger("asyncio").warning("slow %s", "callback")
    return stream.getvalue()


def test_json_where_machines_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = write_some(monkeypatch, io.StringIO(), LogSection()).splitlines()
    hello, failed, slow = map(json.loads, lines)
    assert (hello["event"], hello["peer"], hello["level"]) == ("hello", "192.0.2.1", "info")
    assert hello["logger"] == "postroad.test"
    assert "ValueError: 11" in failed["exception"]
    assert (slow["event"], slow["logger"]) == ("slow callback", "asyncio")


def test_words_where_people_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = write_some(monkeypatch, Terminal(), LogSection())
    assert "hello" in shown
    assert "192.0.2.1" in shown
    assert "\x1b[" in shown
    assert "ValueError: 11" in shown
    assert "tell-nobody" not in shown  # no local variables: they hold passwords and mail


def test_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    section = LogSection.model_validate({"level": "error", "format": "json"})
    (line,) = write_some(monkeypatch, Terminal(), section).splitlines()
    assert json.loads(line)["event"] == "failed"


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for section in (LogSection(), LogSection.model_validate({"format": "text"})):
        write_some(monkeypatch, FullDisk(), section)
    closed = io.StringIO()
    monkeypatch.setattr("sys.stderr", closed)
    configure_logging(LogSection())
    closed.close()
    structlog.get_logger("postroad.test").error("to nobody")
