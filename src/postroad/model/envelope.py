"""The envelope: who sends, to whom, and the parameters of MAIL and RCPT."""

from enum import Enum, Flag

from msgspec import Struct

from postroad.model.address import Address


class Body(Enum):
    """BODY= of MAIL (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"
    BINARY_MIME = "BINARYMIME"


class Ret(Enum):
    """RET= of MAIL: how much of the message a DSN returns (RFC 3461 §4.3)."""

    FULL = "FULL"
    HEADERS = "HDRS"


class Notify(Flag):
    """NOTIFY= of RCPT (RFC 3461 §4.1). NEVER stands alone; DEFAULT means that none was given."""

    DEFAULT = 0
    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8

    @property
    def on_failure(self) -> bool:
        """Whether a failed delivery is to be reported (the default, RFC 3461 §4.1)."""
        return self is Notify.DEFAULT or bool(self & Notify.FAILURE)

    @property
    def on_delay(self) -> bool:
        """Whether a delayed delivery is to be reported."""
        return self is Notify.DEFAULT or bool(self & Notify.DELAY)

    @property
    def on_success(self) -> bool:
        """Whether a delivery is to be reported (only on request)."""
        return self._value_ & 2 != 0  # asked of each delivery; `self & Notify.SUCCESS` costs a µs


class Recipient(Struct, frozen=True, array_like=True):
    """One RCPT: the address and its DSN parameters.

    `orcpt` is the original recipient as ``addr-type;address``, still in xtext (RFC 3461 §4.2).
    """

    address: Address
    notify: Notify = Notify.DEFAULT
    orcpt: str | None = None


class Envelope(Struct, frozen=True, omit_defaults=True):
    """Sender (None: the null reverse-path ``<>``), recipients and the parameters of MAIL.

    `envid` is still in xtext (RFC 3461 §4.4). `size` is what the client declared, in octets.
    `requiretls`: it must go by TLS to proven servers all the way (RFC 8689 §2). It is asked to be held
    `hold_for` seconds, or until `hold_until` (seconds since 1970), never both (RFC 4865).
    """

    sender: Address | None
    recipients: tuple[Recipient, ...] = ()
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret | None = None
    envid: str | None = None
    size: int | None = None
    requiretls: bool = False
    hold_for: int | None = None
    hold_until: float | None = None

    def released_at(self, accepted_at: float) -> float:
        """Return when it may be sent, of a message accepted at `accepted_at`, which is the earliest.
        All in seconds since 1970.
        """
        if self.hold_until is not None:
            return max(self.hold_until, accepted_at)
        return accepted_at if self.hold_for is None else accepted_at + self.hold_for
