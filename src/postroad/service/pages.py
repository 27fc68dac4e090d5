"""The few pages that recipients of our mail may see. Plain HTML, no script, nothing loaded from
anywhere; whatever is put into a page is escaped.
"""

from html import escape

from postroad.service.web import WebAnswer

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em;color:#222;"
    "background:#fff}h1{font-size:1.4em}button{font:inherit;padding:.5em 1.2em;border:0;"
    "border-radius:.3em;background:#1c5fb0;color:#fff;cursor:pointer}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}}"
)


def ask_to_leave(address: str, stream: str) -> WebAnswer:
    """The page with one button. To show it changes nothing: programs follow links, too."""
    return _page(
        200,
        "Unsubscribe?",
        f"<p><b>{escape(address)}</b> gets mail of the list <b>{escape(stream)}</b>.</p>"
        '<form method="post"><button name="List-Unsubscribe" value="Page">Unsubscribe</button></form>',
    )


def has_left(address: str, stream: str) -> WebAnswer:
    """The page behind the button, however often it is pressed."""
    return _page(
        200,
        "You are unsubscribed",
        f"<p><b>{escape(address)}</b> gets nothing of the list <b>{escape(stream)}</b> any more.</p>"
        "<p>Mail that is on its way already may still come.</p>",
    )


def no_such_link(expired: bool = False) -> WebAnswer:
    """The page for what is none of ours: it says the same to who guesses and to who mistypes."""
    if expired:
        text = "The mail that it was in is too old."
        return _page(410, "This link leads nowhere any more", f"<p>{text}</p>")
    text = "Perhaps a part of it was lost on the way: copy it as a whole from the mail."
    return _page(404, "This link leads nowhere", f"<p>{text}</p>")


def not_understood() -> WebAnswer:
    """The page for a request that is no wish to leave."""
    text = "Open the link from the mail once more, and press the button."
    return _page(400, "That was not understood", f"<p>{text}</p>")


def not_now() -> WebAnswer:
    """The page for when nothing can be stored: nothing was done."""
    answer = _page(503, "Not now", "<p>Nothing was changed. Please try again in a minute.</p>")
    return WebAnswer(503, {**answer.headers, "Retry-After": "60"}, answer.body)


def not_that_way(allowed: str) -> WebAnswer:
    """The page for a method that does not fit."""
    answer = _page(405, "Not that way", "<p>This address is there to be read.</p>")
    return WebAnswer(405, {**answer.headers, "Allow": allowed}, answer.body)


def _page(status: int, title: str, content: str) -> WebAnswer:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1>{content}</body></html>\n"
    )
    return WebAnswer(status, HEADERS, text.encode())
