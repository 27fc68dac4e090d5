"""What the journey says of recipients."""

from postroad.model import Clicked, Opened, Unsubscribed
from postroad.service.reading import words_of_reading


def test_each_is_told_in_a_word_and_a_sentence() -> None:
    assert words_of_reading(Opened(1.0, 7, 0), "b@x.test") == ("opened", "b@x.test")
    assert words_of_reading(Clicked(1.0, 7, 0, "https://x.test/", "a scanner"), "b@x.test") == (
        "clicked",
        "b@x.test: https://x.test/, as it seems by a machine (a scanner)",
    )
    assert words_of_reading(Unsubscribed(1.0, 7, 0, "default", "mail"), "b@x.test") == (
        "unsubscribed",
        "b@x.test: wants nothing of default any more (mail)",
    )
