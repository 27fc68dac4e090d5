"""Real mail from `../shared/suites/mail`, as messages with CRLF line ends."""

from functools import cache

from tests.suites import suite


@cache
def real_mail() -> tuple[bytes, ...]:
    """Return all 1,200 messages. The mbox separator (``From …``) is none of a message's lines."""
    folder = suite("mail")
    messages = []
    for path in sorted([*folder.glob("easy-ham-1/*"), *folder.glob("spam-1/*")]):
        data = path.read_bytes()
        if data.startswith(b"From "):
            data = data.partition(b"\n")[2]
        messages.append(crlf(data))
    assert len(messages) == 1200
    return tuple(messages)


def crlf(data: bytes) -> bytes:
    """Return the text with CRLF line ends, ended by one."""
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def unmatched(received: list[bytes], sent: tuple[bytes, ...]) -> tuple[int, list[bytes]]:
    """Return how many of the sent messages were received exactly once, byte for byte below trace
    header fields, and those received that are none of them.

    Messages are told apart by their ends: a received one is trace fields, then the message.
    """
    left: dict[bytes, list[bytes]] = {}
    for message in sent:
        left.setdefault(message[-64:], []).append(message)
    matched = 0
    strange = []
    for message in received:
        candidates = left.get(message[-64:], [])
        found = next((each for each in candidates if is_below_trace(message, each)), None)
        if found is None:
            strange.append(message)
        else:
            candidates.remove(found)
            matched += 1
    return matched, strange


TRACE = (
    b"Authentication-Results:",
    b"DKIM-Signature:",
    b"Return-Path:",
    b"Delivered-To:",
    b"Received:",
    b"X-Original-To:",
    b" ",
    b"\t",
)


def is_below_trace(received: bytes, sent: bytes) -> bool:
    """Whether `received` is `sent` with nothing but trace header fields above."""
    if not received.endswith(sent):
        return False
    above = received[: len(received) - len(sent)]
    return all(line.startswith(TRACE) for line in above.splitlines())
