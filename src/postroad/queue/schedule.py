"""When a delivery is tried again: a pure function of its age, its attempts and chance."""

from postroad.model import Delivery, Message
from postroad.queue.settings import QueueSettings

_MAX_DOUBLINGS = 64


def next_attempt(
    settings: QueueSettings, message: Message, attempts: int, now: float, random: float
) -> float | None:
    """Return when to try again after `attempts` (1 or more) have ended, None to give up.

    RFC 5321 §4.5.4.1. `random` is in [0, 1). The last attempt comes when the lifetime ends, so that
    every message gets all of its days.
    """
    expires_at = expiry(settings, message)
    if now >= expires_at:
        return None
    own = settings.of(message.stream)
    delay = growing(
        _either(own.retry_first_seconds, settings.retry_first_seconds),
        _either(own.retry_max_seconds, settings.retry_max_seconds),
        attempts,
    )
    delay *= 1 + settings.retry_jitter * (2 * random - 1)
    due_at = min(now + delay, expires_at)
    return due_at if own.quiet is None else own.quiet.after(due_at)


def expiry(settings: QueueSettings, message: Message) -> float:
    """Return when a message is too old to be tried on. One that had to wait has its days from then."""
    if message.expires_at:
        return message.expires_at
    began = message.release_at or message.accepted_at
    if message.envelope.sender is None:
        return began + settings.null_sender_lifetime_seconds
    own = settings.of(message.stream).lifetime_seconds
    return began + _either(own, settings.lifetime_seconds)


def growing(first: float, most: float, times: int) -> float:
    """Return `first`, doubled with each time after the first, at most `most`."""
    doublings = min(max(times, 1) - 1, _MAX_DOUBLINGS)
    return float(min(first * 2**doublings, most))


def delay_notice_due(
    settings: QueueSettings, message: Message, delivery: Delivery, now: float
) -> bool:
    """Whether the sender should be told now that a delivery takes long (once, RFC 3461 §4.1)."""
    own = settings.of(message.stream).delay_notice_seconds
    after = _either(own, settings.delay_notice_seconds)
    return (
        after > 0
        and not delivery.delay_notified
        and now >= (message.release_at or message.accepted_at) + after
        and message.envelope.sender is not None
        and delivery.notify.on_delay
    )


def _either(own: float | None, otherwise: float) -> float:
    return otherwise if own is None else own
