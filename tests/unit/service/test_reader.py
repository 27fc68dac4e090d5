"""People and machines."""

import pytest

from postroad.service.reader import machine_of

LATER = 60.0
PEOPLE = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_people(agent: str) -> None:
    assert machine_of(agent, LATER) == ""
    assert machine_of(agent, 1.0) == "within 5 s of its delivery"
    assert machine_of(agent, None) == "before it was delivered"


@pytest.mark.parametrize(
    ("agent", "machine"),
    [
        (
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 "
            "(via ggpht.com GoogleImageProxy)",
            "Gmail's image proxy",
        ),
        ("YahooMailProxy; https://help.yahoo.com/kb/x.html", "Yahoo's image proxy"),
        ("Mozilla/5.0", "Apple's privacy proxy"),
        ("Barracuda Sentinel (EE)", "a link scanner"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "a preview of links"),
        ("curl/8.0", "a program"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "a program"),
        ("", "a program"),
        ("x" * 1_000_000, ""),
    ],
)
def test_machines(agent: str, machine: str) -> None:
    assert machine_of(agent, LATER) == machine
