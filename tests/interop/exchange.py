"""Mail handed in and read again by Python's own clients, over several connections at once."""

import asyncio
import poplib
import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

from postroad.lab.clients import Mailserver

_DATE = "Mon, 02 Jan 2023 03:04:05 +0000"
_SERIAL = re.compile(rb"^X-Serial: (\d+)\r\n", re.MULTILINE)

Taken = Callable[[bytes], None]
"""Told of each message that a server took."""


def numbered(number: int, sender: str, recipient: str, size_octets: int = 0) -> bytes:
    """Return a message that `serial` knows again; its body has at least that size."""
    line = b"The road goes ever on and on, down from the door where it began.\r\n"
    header = (
        f"From: {sender}\r\nTo: {recipient}\r\nSubject: number {number}\r\nDate: {_DATE}\r\n"
        f"Message-ID: <{number}.{size_octets}@numbered.test>\r\nX-Serial: {number}\r\n\r\n"
    )
    return header.encode() + line * (1 + size_octets // len(line))


def serial(message: bytes) -> int:
    """Return the number of a message that `numbered` made."""
    found = _SERIAL.search(message)
    assert found is not None, message[:500]
    return int(found[1])


def letter(sender: str, recipient: str, subject: str, text: str) -> bytes:
    """Return a message whose header may hold any letters (RFC 6532)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"], message["Message-ID"] = _DATE, f"<{len(text)}.{hash(text)}@letter.test>"
    message.set_content(text, cte="7bit" if text.isascii() else "8bit")
    plain = (sender + recipient + subject).isascii()
    return message.as_bytes(policy=SMTP if plain else SMTPUTF8)


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Return a context that believes the lab; its clients connect by address."""
    context = ssl.create_default_context(cafile=str(ca_file))
    context.check_hostname = False
    return context


def login(server: Mailserver) -> smtplib.SMTP:
    """Return a client that is secure and logged in."""
    context = trusting(server.ca_file)
    client: smtplib.SMTP
    if server.implicit_tls:
        client = smtplib.SMTP_SSL(server.address, server.port, timeout=30, context=context)
    else:
        client = smtplib.SMTP(server.address, server.port, timeout=30)
        client.starttls(context=context)
    client.ehlo("client.test")
    client.login(server.username, server.password)
    return client


async def hand_in(
    connect: Callable[[], smtplib.SMTP],
    sender: str,
    recipients: Sequence[str],
    messages: Sequence[bytes],
    *,
    connections: int = 8,
    taken: Taken = lambda message: None,
) -> None:
    """Send all messages, each to all recipients, by several connections in threads.

    Raises what the first of them raised, after all have ended.
    """

    def share(offset: int) -> None:
        with connect() as client:
            for message in messages[offset::connections]:
                refused = client.sendmail(sender, recipients, message, ["BODY=8BITMIME"])
                assert refused == {}
                taken(message)

    shares = (asyncio.to_thread(share, offset) for offset in range(connections))
    for result in await asyncio.gather(*shares, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def read_mail(server: Mailserver) -> list[bytes]:
    """Return all messages of a mailbox, byte for byte."""
    context = trusting(server.ca_file)
    client: poplib.POP3
    if server.implicit_tls:
        client = poplib.POP3_SSL(server.address, server.port, timeout=30, context=context)
    else:
        client = poplib.POP3(server.address, server.port, timeout=30)
        client.stls(context)
    try:
        client.user(server.username)
        client.pass_(server.password)
        count, octets = client.stat()
        messages = [
            b"".join(line + b"\r\n" for line in client.retr(number + 1)[1])
            for number in range(count)
        ]
        assert octets == sum(map(len, messages)), "sizes are exact, in octets as sent"
        client.quit()
    finally:
        client.close()
    return messages
