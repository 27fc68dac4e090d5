"""Text from HTML, with where its links lead."""

import pytest

from postroad.message.template.derived import derive_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p>Please <a class="b" href="https://a.example/?x=1&amp;y=2">go on</a>.</p>',
         "Please go on (https://a.example/?x=1&y=2)."),
        ("<a href='http://a.example/'>http://a.example/</a>", "http://a.example/"),
        ('<a href="mailto:a@b.example">write</a>', "write"),
        ('<a name="x">here</a> <abbr>no</abbr>', "here no"),
        ('<a href="https://a.example/"><img src="x"></a>after', "after"),
        ('<p title="1 > 0 <b">x</p>', "x"),
        ('<a href="https://a.example/">never closed', "never closed"),
        ("<a", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_text(html: str, text: str) -> None:
    assert derive_text(html) == text


def test_many_open_links_and_quotes_take_no_time() -> None:
    derive_text('<a href="' * 20_000)
    derive_text("<a href='x'>" * 20_000)
    derive_text("<p \"'" * 20_000)
