"""The consoles of a how-to: indented lines, ``$ postroad …`` and what it said.

What no two runs share is set aside before two outputs are compared: moments, durations, ids, keys,
addresses of loopback. Long strings of base64 are shown by their beginning.
"""

import re

from msgspec import Struct

_INDENT = "    "
_PROMPT = f"{_INDENT}$ "
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{40,}={0,2}(?![\w+/=])")
_SHOWN = 24

_VOLATILE = (
    (re.compile(r"acme-challenge/[\w…-]+"), "acme-challenge/TOKEN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "MOMENT"),
    (re.compile(r"\b20\d{6}(?=[er]\d*\b)"), "DAY"),
    (re.compile(r"\d+\.\d+ (s|ms)\b"), r"TIME \1"),
    (re.compile(r"[A-Za-z0-9+/]{24}…"), "KEY"),
    (re.compile(r"\bp=[A-Za-z0-9+/]{43}="), "p=KEY"),
    (re.compile(r"\b[0-9a-f]{16}(?:…|[0-9a-f]{48})"), "HASH"),
    (re.compile(r"\bid=[0-9a-f]{20}\b"), "id=HASH"),
    (re.compile(r"\b[0-9a-f]{10}\b"), "ID"),
    (re.compile(r"\b(?=\w*\d)[0-9A-HJKMNP-TV-Z]{13}\b"), "ID"),
    (re.compile(r"127\.\d+\.\d+\.\d+(:\d+)?"), "LOOPBACK"),
    (re.compile(r"\bCA [0-9a-f]{6}\b"), "CA ID"),
    (re.compile(r" +"), " "),  # columns are as wide as what is in them
)


class Console(Struct, frozen=True):
    """One command and what it said; `begin` and `end` are the lines of the latter on the page."""

    command: str
    output: str
    begin: int
    end: int


def consoles(page: str) -> list[Console]:
    """Return the consoles of a page, in order."""
    lines = page.splitlines()
    found = []
    for number, line in enumerate(lines):
        if not line.startswith(_PROMPT):
            continue
        begin = end = number + 1
        for following in range(begin, len(lines)):
            text = lines[following]
            if text.startswith(_PROMPT) or (text and not text.startswith(_INDENT)):
                break
            if text:
                end = following + 1
        output = "\n".join(text.removeprefix(_INDENT) for text in lines[begin:end])
        found.append(Console(line.removeprefix(_PROMPT), output, begin, end))
    return found


def with_output(page: str, console: Console, output: str) -> str:
    """Return the page with another output of a console."""
    lines = page.splitlines()
    fresh = [f"{_INDENT}{line}" if line else "" for line in output.splitlines()]
    return "\n".join([*lines[: console.begin], *fresh, *lines[console.end :]]) + "\n"


def shortened(output: str) -> str:
    """Return an output as a page shows it: without trailing blanks, keys by their beginning."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    text = "\n".join(lines)
    # A long TXT record is written in pieces.
    text = re.sub(r'(?<=[A-Za-z0-9+/])" "(?=[A-Za-z0-9+/])', "", text)
    return _BASE64.sub(
        lambda found: found[0] if len(found[0]) <= 44 else f"{found[0][:_SHOWN]}…", text
    )


def comparable(output: str) -> str:
    """Return an output without what no two runs share."""
    for pattern, word in _VOLATILE:
        output = pattern.sub(word, output)
    return output
