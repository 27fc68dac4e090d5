"""Log lines by structlog on standard error: for people in a terminal, JSON for machines.

The standard library's loggers (asyncio's warnings) come out the same way.
"""

import logging
import sys
from typing import Any

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
        super().__init__(sys.stderr)
        self.name = name


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
