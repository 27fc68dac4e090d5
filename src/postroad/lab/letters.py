"""Messages of the lab: made for sending, and recognised where they arrive."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid


def compose(sender: str, recipients: Sequence[str], subject: str, text: str) -> bytes:
    """Return a message with all the header fields it needs, CRLF line ends."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    # 8bit rather than base64: the dots and letters are then on the wire as they are.
    message.set_content(text, cte="7bit" if text.isascii() else "8bit")
    return message.as_bytes(policy=SMTP)


def is_for(data: bytes, address: str) -> bool:
    """Whether the trace or the header of a message names the address as a recipient."""
    header = data.partition(b"\r\n\r\n")[0].lower()
    return address.lower().encode() in header
