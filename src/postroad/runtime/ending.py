"""A process that is to end does end, whatever code that is not ours still does in it."""

import asyncio
import os
import sys
import threading

import structlog

log = structlog.get_logger("postroad.lifecycle")

LEFT_SECONDS = 3.0
"""What is left when all is stored has so long to obey its cancellation."""

_MAX_NAMES = 20


def end_within(seconds: float, code: int, loop: asyncio.AbstractEventLoop) -> None:
    """End the process with `code` if it is still there after so many seconds.

    A task that swallows its cancellation, or a thread that never ends, would keep it for ever, with all
    ports closed.
    """
    timer = threading.Timer(seconds, _end, (seconds, code, loop))
    timer.daemon = True
    timer.start()


def _end(seconds: float, code: int, loop: asyncio.AbstractEventLoop) -> None:
    names = sorted({task.get_name() for task in asyncio.all_tasks(loop)})[:_MAX_NAMES]
    log.critical("something does not end; ended without it", seconds=seconds, tasks=names)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
