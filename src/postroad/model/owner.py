"""What belongs to the owner of an account beside mail: how much of it there may be, and what those who
write are told while nobody is there.
"""

from msgspec import Struct


class Quota(Struct, frozen=True):
    """How much may be in all mailboxes of an account together: octets, and messages.

    0 is no limit; None, in what is kept of one account, is as the configuration has it.
    """

    octets: int | None = None
    messages: int | None = None

    def __bool__(self) -> bool:
        return bool(self.octets or self.messages)

    def over(self, default: "Quota") -> "Quota":
        """Return what holds, where `default` is the configuration's."""
        return Quota(
            default.octets if self.octets is None else self.octets,
            default.messages if self.messages is None else self.messages,
        )


class Vacation(Struct, frozen=True):
    """What an account answers while its owner is away (RFC 8621 §8), where `enabled`, from `from_at` to
    before `to_at` (seconds since 1970; None: from ever, for ever). `subject` None: made of the message's
    own.
    """

    enabled: bool = False
    from_at: float | None = None
    to_at: float | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None

    def answers(self, now: float) -> bool:
        """Whether it answers now."""
        begun = self.from_at is None or now >= self.from_at
        return self.enabled and begun and (self.to_at is None or now < self.to_at)
