"""What the intake is told."""

from collections.abc import Mapping

from msgspec import Struct

from postroad.service.streams import Streams


class IntakeSettings(Struct, frozen=True):
    """`hostname` is our name in Received; `add_missing_headers` lets submission add Date and
    Message-ID where the client left them out (RFC 6409 §8). `streams` chooses the stream of a message.
    A user's idempotency keys in headers are kept for `idempotency_seconds`; 0: they are not looked at;
    with `once_by_message_id` a Message-ID is one too. `senders_checked` tells whether a user's sender is
    an address of theirs.
    Authentication-Results that claim to be of `authserv_ids` are removed (RFC 8601 §5). With
    `pass_on_quarantined`, what aliases lead to other places goes there even where a check suspects it;
    it leaves in the name of the alias's domain, or of `passing_on_as`. `signing_domains` tells who signs
    the mail of a stream in place of its sender's domain.
    """

    hostname: str
    max_header_octets: int = 1024 * 1024
    add_missing_headers: bool = True
    streams: Streams = Streams()
    authserv_ids: tuple[str, ...] = ()
    idempotency_seconds: float = 0.0
    once_by_message_id: bool = False
    senders_checked: bool = True
    pass_on_quarantined: bool = False
    passing_on_as: str = ""
    signing_domains: Mapping[str, str] = {}
