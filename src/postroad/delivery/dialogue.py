"""Drives one client machine over one stream: what it says goes out only when we would wait.

So the commands of a group, a body with its final dot and the envelope of the next message leave in
one write each.
"""

import contextlib
from collections import deque

from postroad.ports import Clock, Stream
from postroad.wire.smtp import ClientEvent, LocalProtocolError, Lost, Phase, QuitDone, SMTPClient

# Where the machine waits for nothing yet bytes must come, an answer is due within this.
_NO_DEADLINE_SECONDS = 300.0
_FAREWELL_SECONDS = 2.0
_PARTING_SECONDS = 0.5
# A piece of a body of that size is not copied to make one write of it with what follows; the event loop
# writes both together all the same.
_LARGE_OCTETS = 16 * 1024


class Dialogue:
    """A stream and the machine that speaks over it. `limit` is when all of it must be over."""

    def __init__(
        self, stream: Stream, machine: SMTPClient, clock: Clock, send_seconds: float
    ) -> None:
        self.stream = stream
        self.machine = machine
        self.limit = float("inf")
        self._clock = clock
        self._send_seconds = send_seconds
        self._early: deque[ClientEvent] = deque()

    async def event(self) -> ClientEvent:
        """Return the next event; `Lost` where the peer is gone or the time is up."""
        while (event := self.event_at_hand()) is None:
            await self.proceed()
        return event

    def event_at_hand(self) -> ClientEvent | None:
        """Return the next event, or None where there is none before `proceed`."""
        return self._early.popleft() if self._early else self.machine.next_event()

    async def proceed(self) -> None:
        """Send what there is to say, then wait until the peer speaks, is gone, or the time is up."""
        machine = self.machine
        pieces = machine.pieces_to_send()
        if pieces:
            await self._send(pieces)
            if machine.closing:
                return  # an event tells why
        elif machine.closing:
            self._early.append(Lost(Phase.IDLE, "the connection is closed"))
            return
        await self._receive()

    async def flush(self) -> None:
        """Send what the machine has to say."""
        pieces = self.machine.pieces_to_send()
        if pieces:
            await self._send(pieces)

    async def poll(self) -> None:
        """Look, without waiting, whether the peer spoke or closed in the midst of a body."""
        try:
            data = await self.stream.receive(0)
        except TimeoutError:
            return
        if data:
            self.machine.receive_data(data, self._clock.monotonic())
        else:
            self.machine.receive_eof()
        # A machine reads replies only when asked for events.
        event = self.machine.next_event()
        if event is not None:
            self._early.append(event)

    async def quit(self) -> None:
        """Say QUIT, wait a moment for the answer, close."""
        now = self._clock.monotonic()
        self.limit = now + _FAREWELL_SECONDS
        try:
            if not self.machine.closing:
                # It may be in the midst of something.
                with contextlib.suppress(LocalProtocolError, TimeoutError):
                    self.machine.quit(now)
                    event = await self.event()
                    while not isinstance(event, (QuitDone, Lost)):
                        event = await self.event()
                    if isinstance(event, QuitDone):
                        # The server closes first: a TLS link then ends cleanly on both sides.
                        await self.stream.receive(_PARTING_SECONDS)
        finally:
            self.stream.close()  # also when we are cut off ourselves

    async def _send(self, pieces: list[bytes]) -> None:
        try:
            first = pieces[0]
            if len(first) >= _LARGE_OCTETS:
                await self.stream.send(first, self._send_seconds)
                del pieces[0]
            if pieces:
                await self.stream.send(b"".join(pieces), self._send_seconds)
        except TimeoutError:
            self.machine.time_out(self._clock.monotonic())

    async def _receive(self) -> None:
        machine = self.machine
        now = self._clock.monotonic()
        deadline = machine.deadline()
        until = min(self.limit, now + _NO_DEADLINE_SECONDS if deadline is None else deadline)
        if until <= now:
            machine.time_out(now)
            return
        try:
            data = await self.stream.receive(until - now)
        except TimeoutError:
            machine.time_out(self._clock.monotonic())
            return
        if data:
            machine.receive_data(data, self._clock.monotonic())
        else:
            machine.receive_eof()
