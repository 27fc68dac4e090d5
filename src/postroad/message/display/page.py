"""The page around what a message says: its own style sheet, for light and dark, and the head that keeps
all the rest of the web away.
"""

from msgspec import Struct

_PAGE = """<!doctype html>
<html lang="en"{theme}><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="{schemes}">
<title>Message</title>
<style>{frame}</style><style>{styles}</style></head>
<body class="postroad-{kind}"><div id="postroad-mail">{body}</div></body></html>
"""

_FRAME = """
html{font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
color:#1f2328;background:#fff;overflow-wrap:break-word;-webkit-text-size-adjust:100%}
body{margin:0}#postroad-mail{display:flow-root;padding:1px 0;max-width:100%;overflow-x:auto}
#postroad-mail img{max-width:100%}#postroad-mail img:not([height]){height:auto}
#postroad-mail table{max-width:100%}#postroad-mail pre{white-space:pre-wrap}
.postroad-text{white-space:pre-wrap;max-width:46rem}
blockquote{margin:.6em 0 .6em .2em;padding:.1em 0 .1em .9em;border-left:3px solid #c8d1dc}
.postroad-quote{color:#57606a}.postroad-quote .postroad-quote{border-color:#9fb8d8}
summary{cursor:pointer;color:#57606a;font-size:13px;margin:.6em 0}
.postroad-hidden{min-width:2em;min-height:1.4em;border:1px dashed #b7c0cb;border-radius:6px;
background:#f4f6f8;color:#6b7681;font-size:12px;padding:2px 6px;box-sizing:border-box}
.postroad-note{color:#6b7681;font-size:13px;border-top:1px solid #d8dee4;margin-top:1.2em;
padding-top:.6em}
.postroad-picture{display:block;margin:.8em 0;border-radius:6px}
a{color:#0b5cad}
"""

# Letters of a plain text simply change their colours. A letter that brings colours of its own was made
# for white paper: its brightness is turned around, and that of pictures back again.
_DARK = """
@media (prefers-color-scheme:dark){
html{color:#e3e7ec;background:#16191d}
.postroad-plain a{color:#7db7f5}
.postroad-plain .postroad-quote,.postroad-plain summary{color:#9aa5b1}
.postroad-plain blockquote{border-color:#3b4552}
.postroad-made #postroad-mail{background:#fff;color:#1f2328;filter:invert(.9) hue-rotate(180deg)}
.postroad-made #postroad-mail img:not(.postroad-hidden){filter:invert(1) hue-rotate(180deg)}
}
"""


class SafePage(Struct, frozen=True):
    """`html` is a whole document. `remote_pictures` are elsewhere in the web, whether they are shown or
    not; `cut`: not all of the message is in it.
    """

    html: str
    remote_pictures: int = 0
    cut: bool = False


def page_of(body: str, styles: str, *, made: bool, light: bool = False) -> str:
    """Return the document. `made`: the message brings colours of its own; `light`: never dark."""
    return _PAGE.format(
        theme="",
        schemes="light" if light else "light dark",
        frame=_FRAME + ("" if light else _DARK),
        styles=styles,
        kind="made" if made else "plain",
        body=body,
    )
