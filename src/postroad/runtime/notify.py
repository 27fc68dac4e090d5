"""Telling systemd how we are (sd_notify(3)); nothing happens where it does not ask."""

import contextlib
import os
import socket
import time


class Notifier:
    """Sends states to the socket named by ``NOTIFY_SOCKET``."""

    def __init__(self, address: str | None = None) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address

    def ready(self, status: str) -> None:
        """We serve."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """We read the configuration anew; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We end what is in flight."""
        self._send("STOPPING=1\nSTATUS=finishing what is in flight")

    def alive(self) -> None:
        """The event loop turns (for ``WatchdogSec=``)."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Ask for more time to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, text: str) -> None:
        address = self._address
        if not address:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]  # an abstract socket
        # A service manager that does not listen must not stop the mail.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.connect(address)
            sock.send(text.encode())


def watchdog_seconds() -> float | None:
    """Return how often the service manager wants to hear from us, None where it does not."""
    try:
        microseconds = int(os.environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    owner = os.environ.get("WATCHDOG_PID")
    if owner and owner != str(os.getpid()):
        return None
    return microseconds / 2e6
