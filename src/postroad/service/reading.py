"""What the journey says of recipients that opened, clicked or unsubscribed."""

from postroad.model import Clicked, Opened, Unsubscribed


def words_of_reading(change: Opened | Clicked | Unsubscribed, recipient: str) -> tuple[str, str]:
    """Return what happened, in one word and in a sentence."""
    match change:
        case Unsubscribed():
            text = f"{recipient}: wants nothing of {change.stream} any more ({change.how})"
            return "unsubscribed", text
        case Clicked():
            what, text = "clicked", f"{recipient}: {change.url}"
        case _:
            what, text = "opened", recipient
    return what, f"{text}, as it seems by a machine ({change.machine})" if change.machine else text
