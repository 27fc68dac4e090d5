"""Figures: how much mail there was, for the charts of operators. Kept by the minute and by the hour.

They come from the counters of each process, once a minute, and not from the journey: to read it again
would cost each message something. So what a process counted in the minute before a crash is missing in
them; mail is not.
"""

from msgspec import Struct

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600


class Figure(Struct, frozen=True):
    """Counts of one stream and one provider: ``local``, one of those that are told apart, ``other``, or
    ``unreached``. `provider` is ``""`` for what was accepted, which goes to several.

    `accepted` counts messages, the others outcomes of attempts, one for each recipient.
    """

    stream: str
    provider: str
    accepted: int = 0
    delivered: int = 0
    deferred: int = 0
    bounced: int = 0
    unknown: int = 0


class FiguresCounted(Struct, frozen=True, tag="figures_counted"):
    """What one process counted since it last said so. `seconds` are how many deliveries took how long
    from acceptance, in the parts of `model.tally.LONG_SECONDS`. Added to the minute and the hour of
    `at` (seconds since 1970). Not in the journey.
    """

    at: float
    figures: tuple[Figure, ...]
    seconds: tuple[int, ...]
