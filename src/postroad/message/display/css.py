"""Style sheets and style attributes of strangers, written anew from what is allowed.

What is kept changes how the message itself looks, and nothing else: no address is loaded but pictures
that `Sources` shows, nothing moves, lies over something else or has contents of its own. What is not
understood is left out. Linear in the length, never raises.
"""

import re

from postroad.message.display.sources import Sources

MAX_RULES = 3_000
"""Of all style sheets of a message."""

MAX_VALUE = 1_000
_MAX_NESTING = 8

_PROPERTIES = frozenset(
    str.split(
        """
        color background background-color background-image background-position background-repeat
        background-size background-clip background-origin border border-top border-right border-bottom
        border-left border-color border-style border-width border-top-color border-right-color
        border-bottom-color border-left-color border-top-style border-right-style border-bottom-style
        border-left-style border-top-width border-right-width border-bottom-width border-left-width
        border-radius border-top-left-radius border-top-right-radius border-bottom-left-radius
        border-bottom-right-radius border-collapse border-spacing box-sizing caption-side clear
        direction display empty-cells float flex flex-basis flex-direction flex-flow flex-grow
        flex-shrink flex-wrap order align-content align-items align-self justify-content justify-items
        justify-self gap row-gap column-gap font font-family font-size font-style font-variant
        font-weight font-stretch height min-height max-height width min-width max-width letter-spacing
        line-height list-style list-style-type list-style-position margin margin-top margin-right
        margin-bottom margin-left padding padding-top padding-right padding-bottom padding-left opacity
        overflow overflow-x overflow-y overflow-wrap outline table-layout text-align text-align-last
        text-decoration text-decoration-color text-decoration-line text-decoration-style text-indent
        text-overflow text-transform text-shadow unicode-bidi vertical-align visibility white-space
        word-break word-spacing word-wrap hyphens column-count column-width color-scheme
        """
    )
)
_FUNCTIONS = frozenset(
    str.split(
        """
        rgb rgba hsl hsla calc min max clamp linear-gradient radial-gradient
        """
    )
)
_WORD = re.compile(
    r"(?P<function>[a-zA-Z-]{1,30}+\()"
    r"|(?P<plain>[#]?-?[a-zA-Z0-9_.%\x80-\U0010ffff-]++|[\s,/!+*]++)"
    r"|(?P<text>\"[^\"\\<\r\n\f\0]*+\"|'[^'\\<\r\n\f\0]*+')"
    r"|(?P<begin>\()|(?P<end>\))"
)
_URL = re.compile(r"\s*+(?:\"([^\"\\<\r\n\0]*+)\"|'([^'\\<\r\n\0]*+)'|([^\s\"'()\\<\0]*+))\s*+\)")
_NAME = re.compile(r"\s*+([a-zA-Z-]{1,40}+)\s*+\Z")
_SELECTOR = re.compile(r"[a-zA-Z0-9_\-.#*>+~:,\s\[\]=\"'^$|\x80-\U0010ffff]{1,1000}")
_MEDIA = re.compile(r"@media[\s(][a-zA-Z0-9\s():,.\-]{1,300}", re.IGNORECASE)
_MARKS = re.compile(r"\"[^\"\n]*+\"|'[^'\n]*+'|[{};]")
_SPLIT = re.compile(r"\"[^\"\n]*+\"|'[^'\n]*+'|[;()]")


def declarations(text: str, sources: Sources) -> str:
    """Return what may stay of the value of a style attribute: ``color:red;margin:0``."""
    kept = [
        written
        for each in _split(_without_comments(text))
        if (written := _declaration(each, sources))
    ]
    return ";".join(kept)


def stylesheet(text: str, sources: Sources, max_rules: int = MAX_RULES) -> str:
    """Return what may stay of a style sheet: at most `max_rules` plain rules, also within ``@media``."""
    return _Sheet(_without_comments(text), sources, max_rules).write()


class _Sheet:
    def __init__(self, text: str, sources: Sources, max_rules: int) -> None:
        self._text = text.replace("<!--", " ").replace("-->", " ")
        self._sources = sources
        self._left = max_rules

    def write(self) -> str:
        """Walk once, from mark to mark."""
        written: list[str] = []
        text, start, position, in_media = self._text, 0, 0, False
        while self._left > 0:
            match = _MARKS.search(text, position)
            if match is None:
                break
            position = match.end()
            if match[0] not in "{};":
                continue
            prelude = text[start : match.start()].strip()
            start = position
            if match[0] == "}" and in_media:
                written.append("}")
                in_media = False
            if match[0] != "{":
                continue
            if prelude[:1] == "@":
                if not in_media and _MEDIA.fullmatch(prelude) and _is_balanced(prelude):
                    written.append(f"{prelude}{{")
                    in_media = True
                else:
                    start = position = self._behind(position)
                continue
            end = self._behind(position)
            rule = self._rule(prelude, text[position : end - 1])
            if rule:
                written.append(rule)
                self._left -= 1
            start = position = end
        if in_media:
            written.append("}")
        return "\n".join(written)

    def _rule(self, selector: str, block: str) -> str:
        if "{" in block or not _SELECTOR.fullmatch(selector):
            return ""
        if selector.count('"') % 2 or selector.count("'") % 2:
            return ""
        body = declarations(block, self._sources)
        return f"{selector}{{{body}}}" if body else ""

    def _behind(self, position: int) -> int:
        """Return where the block ends that began there; the end of all where it does not."""
        depth = 1
        for match in _MARKS.finditer(self._text, position):
            if match[0] == "{":
                depth += 1
            elif match[0] == "}":
                depth -= 1
                if not depth:
                    return match.end()
        return len(self._text) + 1


def _split(text: str) -> list[str]:
    """Cut at semicolons that are in no string and no brackets."""
    pieces, start, depth = [], 0, 0
    for match in _SPLIT.finditer(text):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth = max(0, depth - 1)
        elif match[0] == ";" and not depth:
            pieces.append(text[start : match.start()])
            start = match.end()
    pieces.append(text[start:])
    return pieces


def _declaration(text: str, sources: Sources) -> str:
    name, colon, value = text.partition(":")
    match = _NAME.match(name)
    if not colon or match is None or len(value) > MAX_VALUE:
        return ""
    name = match[1].lower()
    if name not in _PROPERTIES:
        return ""
    written = _value(value.strip(), sources, may_load=name.startswith("background"))
    return f"{name}:{written}" if written else ""


def _value(text: str, sources: Sources, *, may_load: bool) -> str:
    """Return a value word by word, ``""`` where a word is not allowed."""
    written: list[str] = []
    position = depth = 0
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            return ""
        position = match.end()
        word = match[0]
        if match["function"]:
            name = word[:-1].lower()
            if name == "url" and may_load:
                url = _URL.match(text, position)
                if url is None:
                    return ""
                position = url.end()
                shown = sources.of(url[1] or url[2] or url[3] or "", decoration=True)
                word = f'url("{shown}")' if shown else "none"
            elif name in _FUNCTIONS and depth < _MAX_NESTING:
                depth += 1
            else:
                return ""
        elif match["begin"]:  # within calc()
            if not 0 < depth < _MAX_NESTING:
                return ""
            depth += 1
        elif match["end"]:
            depth -= 1
            if depth < 0:
                return ""
        written.append(word)
    return "" if depth else "".join(written)


def _is_balanced(text: str) -> bool:
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return not depth


def _without_comments(text: str) -> str:
    if "/*" not in text:
        return text
    pieces, position = [], 0
    while True:
        start = text.find("/*", position)
        if start < 0:
            pieces.append(text[position:])
            break
        pieces.append(text[position:start])
        end = text.find("*/", start + 2)
        if end < 0:
            break
        position = end + 2
    return " ".join(pieces)
