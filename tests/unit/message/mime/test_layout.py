"""Which parts are shown: the conformance tests compare with what others found; here are the edges."""

from postroad.message.mime.fields import Parameters
from postroad.message.mime.layout import layout_of
from postroad.message.mime.part import Part

ATTACHED = Parameters("attachment", {})


def leaf(media_type: str, disposition: Parameters = Parameters("", {})) -> Part:  # noqa: B008
    return Part(0, 0, 0, media_type, disposition=disposition)


def of(media_type: str, *children: Part) -> Part:
    return Part(0, 0, 0, media_type, children=children)


PLAIN, HTML, PNG = leaf("text/plain"), leaf("text/html"), leaf("image/png")


def shown(root: Part) -> tuple[list[str], list[str], list[str]]:
    layout = layout_of(root)
    text, html, attachments = (
        [part.media_type for part in parts]
        for parts in (layout.text, layout.html, layout.attachments)
    )
    return text, html, attachments


def test_one_part() -> None:
    assert shown(PLAIN) == (["text/plain"], ["text/plain"], [])
    assert shown(HTML) == (["text/html"], ["text/html"], [])
    assert shown(leaf("text/plain", ATTACHED)) == ([], [], ["text/plain"])
    assert shown(leaf("application/pdf")) == ([], [], ["application/pdf"])


def test_alternatives() -> None:
    both = of("multipart/alternative", PLAIN, HTML, leaf("text/calendar"))
    assert shown(both) == (["text/plain"], ["text/html"], ["text/calendar"])
    assert shown(of("multipart/alternative", HTML)) == (["text/html"], ["text/html"], [])
    assert shown(of("multipart/alternative", PLAIN)) == (["text/plain"], ["text/plain"], [])


def test_related_images_are_attachments() -> None:
    related = of("multipart/related", HTML, PNG)
    assert shown(related) == (["text/html"], ["text/html"], ["image/png"])
    assert shown(of("multipart/mixed", PLAIN, PNG))[2] == []


def test_a_message_that_is_attached_stays_closed() -> None:
    message = of("message/rfc822", PLAIN)
    assert shown(of("multipart/mixed", PLAIN, message)) == (
        ["text/plain"],
        ["text/plain"],
        ["message/rfc822"],
    )
