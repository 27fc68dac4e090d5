"""Who followed a link or fetched a picture: a person, or a machine where that can be told.

Machines tell it by the name they give themselves, or by being there before anybody could have read the
message. What cannot be told counts as a person; the journey keeps the word, and neither address nor name
of who came.
"""

import re

SOON_SECONDS = 5.0
"""Nobody reads a message so soon after it was delivered; scanners at the receiving server do."""

_KNOWN = (
    ("Gmail's image proxy", re.compile(r"GoogleImageProxy|ggpht\.com", re.IGNORECASE)),
    ("Yahoo's image proxy", re.compile(r"YahooMailProxy", re.IGNORECASE)),
    ("DuckDuckGo's image proxy", re.compile(r"DuckDuckGo-Favicons|DuckDuckBot", re.IGNORECASE)),
    # Mail Privacy Protection gives no more of a name than that.
    ("Apple's privacy proxy", re.compile(r"Mozilla/5\.0\Z")),
    (
        "a link scanner",
        re.compile(
            r"barracuda|proofpoint|mimecast|symantec|trend ?micro|fortiguard|sophos|safelinks|urldefense"
            r"|fireeye|ironport|checkpoint|zscaler|virustotal|google-safety",
            re.IGNORECASE,
        ),
    ),
    (
        "a preview of links",
        re.compile(
            r"slackbot|facebookexternalhit|twitterbot|linkedinbot|whatsapp|telegrambot|discordbot"
            r"|skypeuripreview|bingpreview|microsoft-?preview|ms-office|googleproducer",
            re.IGNORECASE,
        ),
    ),
    (
        "a program",
        re.compile(
            r"\A\s*\Z|bot\b|crawler|spider|headlesschrome|phantomjs|puppeteer|playwright"
            r"|\A(?:curl|wget|python|java|go-http|okhttp|libwww|axios|node|ruby|apache-http)",
            re.IGNORECASE,
        ),
    ),
)
_MAX_NAME = 500


def machine_of(agent: str, seconds_since_delivery: float | None) -> str:
    """Return in words what machine it seems to be, ``""`` for a person.

    `agent` is what it says in User-Agent; `seconds_since_delivery` is None where the message was not
    delivered by then, as far as we know.
    """
    for words, pattern in _KNOWN:
        if pattern.search(agent[:_MAX_NAME]):
            return words
    if seconds_since_delivery is None:
        return "before it was delivered"
    if seconds_since_delivery < SOON_SECONDS:
        return f"within {SOON_SECONDS:g} s of its delivery"
    return ""
