"""Settings of how much mail accounts may have."""

from enum import Enum

from pydantic import Field

from postroad.runtime.config.values import Octets, Section


class WhenFull(Enum):
    """What is said of mail for a mailbox that is full."""

    DEFER = "defer"
    REFUSE = "refuse"


class QuotaSection(Section):
    """How much may be in all mailboxes of an account together, unless `postroad account quota` says
    otherwise for one.
    """

    octets: Octets = Field(
        default=0, ge=0, le=2**53 - 1, description="At most so many octets. 0: no limit."
    )
    messages: int = Field(
        default=0, ge=0, le=2**53 - 1, description="At most so many messages. 0: no limit."
    )
    when_full: WhenFull = Field(
        default=WhenFull.DEFER,
        description="`defer`: the sender's server is told to come again (452 4.2.2), and mail that was "
        "accepted waits. `refuse`: it is refused (552 5.2.2), and mail that was accepted comes back to "
        "its sender.",
    )
