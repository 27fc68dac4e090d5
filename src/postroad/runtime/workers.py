"""Several processes that share the ports and the store, and the one that looks after them.

The ports are bound and root is given up before the first fork, so every worker inherits the same
listening sockets and takes from them what it has time for. They meet only in the store. The supervisor
serves nothing: it starts the workers (the first alone, so that only one makes or migrates the store),
passes signals on, starts anew what died, and speaks to the service manager for all. If it dies itself,
however that was, its workers end in order: nobody could stop them or start them anew any more.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

import structlog

from postroad.runtime.notify import Notifier, watchdog_seconds

log = structlog.get_logger("postroad.workers")

_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_LOOK_SECONDS = 1.0
_RESTART_SECONDS = 1.0
_START_SECONDS = 60.0


class WorkerNotifier(Notifier):
    """A worker's way to say that it serves: one octet in the supervisor's pipe."""

    def __init__(self, pipe: int) -> None:
        super().__init__("")
        self._pipe = pipe

    def ready(self, status: str) -> None:
        """Tell the supervisor, once."""
        if self._pipe >= 0:
            os.write(self._pipe, b"r")
            os.close(self._pipe)
            self._pipe = -1


class Supervisor:
    """Runs `count` workers. `live` is a worker's life and returns its exit code; it gets the worker's
    number and its notifier.
    """

    def __init__(self, count: int, live: Callable[[int, Notifier], int]) -> None:
        self._count = count
        self._live = live
        self._notify = Notifier()
        self._workers: dict[int, int] = {}  # process id: number
        self._again: list[tuple[float, int]] = []  # when to start which one anew
        self._stopping = False
        # Nothing is ever written; who reads it learns when nobody has the other end any more.
        self._orphaned, self._alive = os.pipe()

    def run(self) -> int:
        """Look after the workers until the last one has ended; return an exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for number in range(self._count):
                code = self._start(number)
                if code is not None:
                    self._stop(signal.SIGTERM)
                    self._wait_for_all()
                    return code
            self._notify.ready(f"serving with {self._count} workers")
            return self._look_after()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._orphaned)
            os.close(self._alive)

    def _look_after(self) -> int:
        alive_every = watchdog_seconds() or 0.0
        alive_at = 0.0
        while self._workers or self._again:
            if alive_every and time.monotonic() >= alive_at:
                self._notify.alive()
                alive_at = time.monotonic() + alive_every
            seconds = min(_LOOK_SECONDS, alive_every or _LOOK_SECONDS)
            self._obey(signal.sigtimedwait(_SIGNALS, seconds))
            while (ended := self._reap()) is not None:
                self._ended(*ended)
            self._start_anew()
        return 0

    def _obey(self, came: "signal.struct_siginfo | None") -> None:
        if came is None or came.si_signo == signal.SIGCHLD:
            return
        if came.si_signo == signal.SIGHUP:
            self._signal(signal.SIGHUP)
            return
        # A second one ends the workers at once: they see to that themselves.
        self._stop(signal.Signals(came.si_signo))

    def _stop(self, signum: signal.Signals) -> None:
        if not self._stopping:
            self._notify.stopping()
        self._stopping = True
        self._again.clear()
        self._signal(signum)

    def _signal(self, signum: signal.Signals) -> None:
        for process in self._workers:
            os.kill(process, signum)

    def _start(self, number: int) -> int | None:
        """Fork a worker and wait until it serves; return its exit code if it ended instead."""
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            self._be_worker(number, writing)
        os.close(writing)
        self._workers[process] = number
        if not select.select([reading], [], [], _START_SECONDS)[0]:
            log.error("a worker does not get ready; ended", worker=number, pid=process)
            os.kill(process, signal.SIGKILL)
        came = os.read(reading, 1)  # an end of file if it died
        os.close(reading)
        if came:
            return None
        _, status = os.waitpid(process, 0)
        del self._workers[process]
        return os.waitstatus_to_exitcode(status) or 1

    def _be_worker(self, number: int, pipe: int) -> None:
        """In the child; never returns."""
        code = 70
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._alive)
            threading.Thread(target=self._outlive_nobody, name="supervisor", daemon=True).start()
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
                os.environ.pop(name, None)
            code = self._live(number, WorkerNotifier(pipe))
        except BaseException:
            log.exception("a worker failed", worker=number)
        finally:
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(code)

    def _outlive_nobody(self) -> None:
        """In a thread of the child: end it when the supervisor is gone."""
        os.read(self._orphaned, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> tuple[int, int] | None:
        """Return (process, exit code) of a worker that ended, if any did."""
        if not self._workers:
            return None
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return None
        return process, os.waitstatus_to_exitcode(status)

    def _ended(self, process: int, code: int) -> None:
        number = self._workers.pop(process, None)
        if number is None or self._stopping:
            return
        log.error("a worker ended; starting it anew", worker=number, pid=process, code=code)
        self._again.append((time.monotonic() + _RESTART_SECONDS, number))

    def _start_anew(self) -> None:
        now = time.monotonic()
        due = [number for at, number in self._again if at <= now]
        self._again = [each for each in self._again if each[0] > now]
        for number in due:
            if self._start(number) is not None:
                self._again.append((time.monotonic() + _RESTART_SECONDS, number))

    def _wait_for_all(self) -> None:
        ends_at = time.monotonic() + _START_SECONDS
        while self._workers and time.monotonic() < ends_at:
            ended = self._reap()
            if ended is None:
                time.sleep(0.05)
            else:
                self._workers.pop(ended[0], None)
