"""Log lines by structlog on standard error: for people in a terminal, JSON for machines.

The standard library's loggers (asyncio's warnings) come out the same way. A line that cannot be written
(the disk is full, the reader is gone) is lost; the mail goes on.
"""

import contextlib
import logging
import sys
from typing import Any, TextIO

import structlog

from postroad.runtime.config import LogSection
from postroad.runtime.config.server import LogFormat


def configure_logging(section: LogSection) -> None:
    """Set up logging for this process."""
    terminal = sys.stderr.isatty()
    text = section.format is LogFormat.TEXT or (section.format is LogFormat.AUTO and terminal)
    level = logging.getLevelNamesMapping()[section.level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _add_logger,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    ends: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=terminal,
                timestamp_key="time",
                # The rich one prints local variables: passwords and people's mail.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
        if text
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    structlog.configure(
        processors=[*shared, *ends],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(max(level, logging.WARNING) if level > logging.DEBUG else logging.INFO)


class _Lines(structlog.WriteLogger):
    """Writes to what is standard error now, under the name it was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(_Unfailing(sys.stderr))  # type: ignore[arg-type]
        self.name = name


class _Unfailing:
    """A stream whose trouble is nobody's: an exception from a log line would end a task or a server."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _LoggerFactory:
    def __call__(self, *args: Any) -> _Lines:
        return _Lines(args[0] if args else "postroad")


def _add_logger(logger: Any, _method: str, event: Any) -> Any:
    event["logger"] = getattr(logger, "name", "postroad")
    return event


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record of the standard library on."""
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
