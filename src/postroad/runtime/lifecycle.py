"""The life of a server process: bind, give root up, open, serve, reload, end in order.

SIGTERM and SIGINT end it gracefully (what is in flight is finished or refused cleanly), a second one at
once; SIGHUP reads configuration and certificates anew. If a part that must not stop stops (the queue),
the process ends with an error, so that its supervisor starts it again: what is stored is safe.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import structlog

from postroad.network import TlsFilesInvalid
from postroad.ports import Moments, StorageError
from postroad.runtime.checks import ChecksInvalid
from postroad.runtime.compose import System
from postroad.runtime.config import Config, ConfigInvalid, config_path, is_missing, load_config
from postroad.runtime.ending import LEFT_SECONDS, end_within
from postroad.runtime.listeners import CannotListen, Listeners
from postroad.runtime.logs import configure_logging
from postroad.runtime.notify import Notifier, watchdog_seconds
from postroad.runtime.privileges import (
    UMASK,
    Identity,
    PrivilegesRefused,
    become,
    check_program,
    give,
    identity,
    prepare_directory,
    raise_file_limit,
)
from postroad.runtime.server_lock import ServerLock, ServerRuns
from postroad.runtime.workers import Supervisor
from postroad.storage.moments import LocalMoments, SharedMoments

T = TypeVar("T")

log = structlog.get_logger("postroad.lifecycle")

_STOP_SECONDS = 10.0
"""What may be needed to stop in order beyond the time that clients and deliveries have."""

EX_OK = 0
EX_SOFTWARE = 70
EX_OSERR = 71
EX_IOERR = 74
EX_TEMPFAIL = 75
EX_NOPERM = 77
EX_CONFIG = 78


def serve(path: Path | None, directory: Path | None = None) -> int:
    """Run a server until it is told to stop; return a sysexits code. Where no configuration is, one is
    made first, in `directory` if that is given.
    """
    if path is None and (directory is not None or is_missing()):
        from postroad.runtime.first_run import NoFirstRun, config_of, first_run

        path = config_of(directory)
        if not path.exists():
            try:
                path = run(first_run(directory))
            except NoFirstRun as error:
                _complain([str(error)])
                return EX_CONFIG
            if path is None:
                return EX_OK
    try:
        config = load_config(path)
    except ConfigInvalid as error:
        _complain(error.problems)
        return EX_CONFIG
    configure_logging(config.log)
    os.umask(UMASK)
    raise_file_limit()
    try:
        who = identity(config)
        prepare_directory(config.server.data_dir, who)
    except PrivilegesRefused as error:
        _complain([str(error)])
        return EX_NOPERM
    try:
        lock = ServerLock(config.server.data_dir)
    except ServerRuns as error:
        _complain([str(error)])
        return EX_TEMPFAIL
    except OSError as error:
        _complain([f"{config.server.data_dir}: cannot be locked for this server: {error.strerror}"])
        return EX_IOERR
    try:
        return _serve(path, config, who, lock)
    finally:
        lock.close()


def _serve(path: Path | None, config: Config, who: Identity | None, lock: ServerLock) -> int:
    """Bind, give root up and live, now that the data directory is ours; return a sysexits code."""
    try:
        listeners = Listeners.bind(config)
        if who is not None:
            give(lock.path, who)
            if listeners.local_socket is not None:
                give(listeners.local_socket, who)
            become(who)
            check_program(who)
    except PrivilegesRefused as error:
        _complain([str(error)])
        return EX_NOPERM
    except CannotListen as error:
        _complain(error.problems)
        return EX_OSERR
    try:
        if config.server.workers > 1:
            moments = SharedMoments()
            return Supervisor(
                config.server.workers,
                lambda worker, notify: _live(path, config, listeners, worker, notify, moments),
            ).run()
        return _live(path, config, listeners, 0, Notifier(), LocalMoments())
    finally:
        listeners.close()


def _live(
    path: Path | None,
    config: Config,
    listeners: Listeners,
    worker: int,
    notify: Notifier,
    moments: Moments,
) -> int:
    """Serve until told to stop; return a sysexits code."""
    try:
        return _run_to_the_end(_Process(path, config, listeners, worker, notify, moments).live())
    except TlsFilesInvalid as error:
        _complain([str(error)])
        return EX_CONFIG
    except ChecksInvalid as error:
        _complain([f"{config_path(path)}: {problem}" for problem in error.problems])
        return EX_CONFIG
    except StorageError as error:
        _complain([f"store in {config.server.data_dir}: {error}"])
        return EX_IOERR
    except OSError as error:
        _complain([str(error)])
        return EX_OSERR


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop, or on asyncio's own loop where there is none."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _run_to_the_end(main: Coroutine[Any, Any, int]) -> int:
    """Run what is all of a process's life: nothing that it leaves behind may keep the process."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = EX_SOFTWARE
        try:
            code = runner.run(main)
        finally:
            end_within(LEFT_SECONDS, code, runner.get_loop())
    return code


SWITCH_SECONDS = 0.0001
"""How long a thread waits for the interpreter's lock before whoever has it must let go.

The writer's thread needs it twice for a commit: to begin, and to say that it is done. By Python's own
interval of 5 ms a busy event loop keeps it from it, and all who wait for the commit (042).
"""


def _settle_down() -> None:
    """Set the interpreter to the work of a server.

    What is there now stays for good: the garbage collector need not look at it again and again. A
    message makes some hundred objects and no cycle; with Python's own threshold of 700 the collector
    runs every few messages, for 2 % of all instructions.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on this platform
        return None
    return uvloop.new_event_loop


class _Process:
    """What happens between start and end."""

    def __init__(
        self,
        path: Path | None,
        config: Config,
        listeners: Listeners,
        worker: int,
        notify: Notifier,
        moments: Moments,
    ) -> None:
        self._moments = moments
        self._path = path
        self._config = config
        self._listeners = listeners
        self._worker = worker
        self._notify = notify
        self._stop_asked = asyncio.Event()
        self._reload_asked = asyncio.Event()

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_unhandled)
        # Before anything takes time: a signal that comes early must not kill us half started.
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._asked_to_stop, signum)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        async with System.open(
            self._config,
            listeners=self._listeners,
            worker=self._worker,
            moments=self._moments,
        ) as system:
            await system.start()
            _settle_down()
            self._notify.ready(_status(system))
            log.info(
                "ready",
                hostname=self._config.server.hostname,
                worker=self._worker,
                pid=os.getpid(),
                **{name: _texts(found) for name, found in system.listening.items()},
            )
            code = await self._until_stopped(system)
            self._notify.stopping()
            grace = self._config.server.grace_seconds
            self._notify.extend(grace + _STOP_SECONDS + LEFT_SECONDS)
            log.info("stopping", grace_seconds=grace)
            end_within(grace + _STOP_SECONDS, code, loop)
            await system.stop(grace)
        log.info("stopped")
        return code

    async def _until_stopped(self, system: System) -> int:
        watchdog = asyncio.create_task(self._watchdog(), name="watchdog")
        waits = {
            "stop": asyncio.create_task(self._stop_asked.wait(), name="stop"),
            "reload": asyncio.create_task(self._reload_asked.wait(), name="reload"),
            "failed": asyncio.create_task(system.failure(), name="failure"),
        }
        try:
            while True:
                await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
                if waits["failed"].done():
                    error = waits["failed"].result()
                    if isinstance(error, StorageError):  # no mistake of ours: no traceback
                        log.critical("the store failed; ending", error=str(error))
                        return EX_IOERR
                    log.critical("a part of the server failed; ending", exc_info=error)
                    return EX_SOFTWARE
                if waits["stop"].done():
                    return EX_OK
                self._reload_asked.clear()
                waits["reload"] = asyncio.create_task(self._reload_asked.wait(), name="reload")
                await self._reload(system)
        finally:
            for task in (watchdog, *waits.values()):
                task.cancel()
            await asyncio.gather(watchdog, *waits.values(), return_exceptions=True)

    async def _reload(self, system: System) -> None:
        self._notify.reloading()
        try:
            config = await asyncio.to_thread(load_config, self._path)
            if config.server.workers > 1 and config.listen != self._config.listen:
                log.warning("with workers, ports change only with a restart")
                config = config.model_copy(update={"listen": self._config.listen})
            await system.reload(config)
            self._config = config
            configure_logging(config.log)
            log.info("reloaded", **{name: _texts(at) for name, at in system.listening.items()})
        except (ConfigInvalid, ChecksInvalid, CannotListen) as error:
            log.error("reload failed; everything stays as it was", problems=error.problems)
        except (TlsFilesInvalid, StorageError, OSError, ValueError) as error:
            log.error("reload failed; everything stays as it was", problems=[str(error)])
        self._notify.ready(_status(system))

    def _asked_to_stop(self, signum: int) -> None:
        if self._stop_asked.is_set():
            log.warning("asked twice; ending at once", signal=signal.Signals(signum).name)
            os._exit(128 + signum)
        log.info("asked to stop", signal=signal.Signals(signum).name)
        self._stop_asked.set()

    async def _watchdog(self) -> None:
        seconds = watchdog_seconds()
        while seconds:
            self._notify.alive()
            await asyncio.sleep(seconds)


def log_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody waited for: an exception in a task or callback is a mistake of ours."""
    log.error(
        "unhandled exception",
        message=context.get("message"),
        task=str(context.get("task") or context.get("future") or context.get("handle") or ""),
        exc_info=context.get("exception"),
    )


def _status(system: System) -> str:
    return "serving " + ", ".join(
        f"{name} on {' '.join(_texts(found))}" for name, found in system.listening.items()
    )


def _texts(addresses: list[tuple[str, int]]) -> list[str]:
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in addresses]


def _complain(problems: list[str]) -> None:
    for problem in problems:
        with contextlib.suppress(BrokenPipeError):
            print(f"postroad: {problem}", file=sys.stderr)
