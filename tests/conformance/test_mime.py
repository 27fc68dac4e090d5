"""Messages whose structure others found: of Stalwart's mail-parser and of Perl's MIME-tools."""

import email
import json
import re
from pathlib import Path
from typing import Any

from msgspec import Struct

from postroad.message.mime import MimeMessage, Part, layout_of
from postroad.message.mime.charsets import decode
from tests.conformance.report import record
from tests.interop.real_mail import real_mail
from tests.suites import suite

EVERYTHING = 10**9

# mail-parser gives the undecoded text where base64 is none, and such a part is then an attachment; we
# decode what there is.
_NO_BASE64 = "its base64 is none: mail-parser then shows the undecoded text, we decode what we can"
RFC_ON_PURPOSE = {"000.json": _NO_BASE64, "000.crlf.json": _NO_BASE64}

_CUT = "its base64 was cut within a group of four: MIME-tools drops that group, we decode what is there"
MIMETOOLS_ON_PURPOSE = {
    "frag": _CUT,
    "multi-frag": _CUT,
    "hdr-fakeout": "its header is not ended by a blank line: MIME-tools drops the lines that are no "
    "fields, we keep them as fields without names",
}


class Flat(Struct):
    message: MimeMessage
    part: Part


def flat(message: MimeMessage) -> list[Flat]:
    """All parts, those of messages in base64 too, in order."""
    found = []
    for part in message.root.walk():
        found.append(Flat(message, part))
        inner = message.inner(part)
        if inner is not None:
            found.extend(flat(inner))
    return found


def expected(document: Any, number: int = 0) -> list[Any]:
    part = document["parts"][number]
    body = part["body"]
    found = [part]
    if isinstance(body, dict) and "Multipart" in body:
        for each in body["Multipart"]:
            found += expected(document, each)
    elif isinstance(body, dict) and "Message" in body:
        found += expected(body["Message"])
    return found


def offsets(document: Any, numbers: list[int]) -> list[int]:
    return [document["parts"][number]["offset_header"] for number in numbers]


def wrong_with(document: Any, data: bytes) -> str:
    """Return what differs, ``""`` where nothing does."""
    message = MimeMessage(data)
    parts, wanted = flat(message), expected(document)
    found = [(each.part.header, each.part.body, each.part.end) for each in parts]
    places = [(each["offset_header"], each["offset_body"], each["offset_end"]) for each in wanted]
    if found != places:
        return f"parts at {found}, not {places}"
    for each, one in zip(parts, wanted, strict=True):
        body = one["body"]
        kind, value = next(iter(body.items())) if isinstance(body, dict) else (body, b"")
        octets = each.message.body(each.part, EVERYTHING)
        if kind in ("Text", "Html") and decode(octets, each.part.charset) != value:
            return f"text at {each.part.body} differs"
        if kind in ("Binary", "InlineBinary") and octets != bytes(value):
            return f"octets at {each.part.body} differ"
        of_type = [h["value"] for h in one["headers"] if h["name"] == "content_type"]
        if of_type and (problem := wrong_type(each.part, of_type[0]["ContentType"])):
            return problem
    layout = layout_of(message.root)
    for name, listed in (
        ("text_body", layout.text),
        ("html_body", layout.html),
        ("attachments", layout.attachments),
    ):
        if [part.header for part in listed] != offsets(document, document[name]):
            return f"{name} are other parts"
    return ""


def wrong_type(part: Part, wanted: Any) -> str:
    media_type = f"{wanted['c_type']}/{wanted['c_subtype']}".lower()
    if part.media_type != media_type:
        return f"{part.media_type} is not {media_type}"
    for attribute in wanted["attributes"] or ():
        value = part.parameters.get(attribute["name"])
        if value != attribute["value"]:
            return f"{attribute['name']} is {value!r}, not {attribute['value']!r}"
    return ""


def lines(data: bytes, name: str) -> bytes:
    data = data.replace(b"\r\n", b"\n")
    return data.replace(b"\n", b"\r\n") if ".crlf" in name else data


def test_rfc() -> None:
    folder = suite("mime") / "rfc"
    documents = sorted(folder.glob("*.json"))
    differences = []
    for path in documents:
        data = (folder / f"{path.name.partition('.')[0]}.eml").read_bytes()
        if problem := wrong_with(json.loads(path.read_bytes()), lines(data, path.name)):
            reason = RFC_ON_PURPOSE.get(path.name, f"WRONG: {problem}")
            differences.append({"case": path.name, "reason": reason})
    record("mime-rfc", passed=len(documents) - len(differences), total=20, differences=differences)
    assert len(documents) == 20
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []


def test_legacy() -> None:
    """Nothing raises; the structure is compared too, though mail-parser decodes less than we do."""
    folder = suite("mime") / "legacy"
    documents = sorted(folder.glob("*.json"))
    differences = []
    for path in documents:
        data = (folder / f"{path.name.partition('.')[0]}.eml").read_bytes()
        message = MimeMessage(lines(data, path.name))
        found = [(part.header, part.body, part.end) for part in message.root.walk()]
        for part in message.root.walk():
            message.body_text(part, EVERYTHING)
        wanted = [
            (each["offset_header"], each["offset_body"], each["offset_end"])
            for each in expected(json.loads(path.read_bytes()))
        ]
        if found != wanted:
            reason = LEGACY_ON_PURPOSE.get(path.name, f"WRONG: {found}, not {wanted}")
            differences.append({"case": path.name, "reason": reason})
    record(
        "mime-legacy", passed=len(documents) - len(differences), total=108, differences=differences
    )
    assert len(documents) == 108
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []


LEGACY_ON_PURPOSE = {
    "049.json": "it ends in a lone CR, which the copy that the JSON was made of lacks"
}


# MIME-tools' XML is not quite XML: what is in it need not be UTF-8.
_TAG = re.compile(
    rb"<(/?)(message|header|field|body|multipart|preamble|epilogue|body-part|text-body|binary-body)"
    rb"(?: name=\"([^\"]*)\")?/?>"
)


class Node:
    def __init__(self, tag: bytes, name: bytes = b"") -> None:
        self.tag = tag
        self.name = name
        self.inside: list[Node] = []
        self.raw = b""

    @property
    def text(self) -> bytes:
        text = self.raw
        for entity, letter in ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"')):
            text = text.replace(entity, letter)
        return text.replace(b"&amp;", b"&").removeprefix(b"\n")

    def child(self, *tags: bytes) -> "Node | None":
        return next((each for each in self.inside if each.tag in tags), None)


def read_xml(text: bytes) -> Node:
    text = text.replace(b"\r\n", b"\n")
    stack = [Node(b"")]
    position = 0
    for match in _TAG.finditer(text):
        stack[-1].raw += text[position : match.start()]
        position = match.end()
        if match[1]:
            stack.pop()
            continue
        node = Node(match[2], match[3] or b"")
        stack[-1].inside.append(node)
        if not match[0].endswith(b"/>"):
            stack.append(node)
    return stack[0].inside[0]


def compare(node: Node, message: MimeMessage, part: Part, folder: Path) -> str:
    """Return what differs between an element of the XML and a part, ``""`` where nothing does."""
    header = node.child(b"header")
    wanted = [] if header is None else [each.text.rstrip() for each in header.inside]
    fields = [field.raw.rstrip() for field in message.header(part).fields]
    if fields and fields[0].startswith(b"From "):
        fields = fields[1:]  # the mbox separator, which MIME-tools takes off
    if fields != wanted:
        return f"the header at {part.header} differs"
    multipart, inner = node.child(b"multipart"), node.child(b"message")
    encoded = message.inner(part)
    if encoded is not None and inner is not None:
        return compare(inner, encoded, encoded.root, folder)
    if multipart is not None or inner is not None:
        below = [inner] if multipart is None else multipart.inside
        nodes = [each for each in below if each and each.tag in (b"body-part", b"message")]
        if len(nodes) != len(part.children):
            return f"{len(part.children)} parts at {part.header}, not {len(nodes)}"
        for each, child in zip(nodes, part.children, strict=True):
            if problem := compare(each, message, child, folder):
                return problem
        return ""
    if part.children:
        return f"the part at {part.header} has parts"
    raw, leaf = node.child(b"body"), node.child(b"text-body", b"binary-body")
    # MIME-tools keeps or adds a line end in front of a delimiter, as it sees fit.
    if raw is not None and message.data[part.body : part.end].rstrip() != raw.text.rstrip():
        return f"the body at {part.body} differs"
    if leaf is not None:
        want = (folder / leaf.name.decode()).read_bytes()
        octets = message.body(part, EVERYTHING)
        if leaf.tag == b"text-body":
            octets, want = octets.replace(b"\r\n", b"\n"), want.replace(b"\r\n", b"\n")
        if octets.rstrip() != want.rstrip():
            return f"what is decoded at {part.body} differs"
    return ""


def test_mimetools() -> None:
    folder = suite("mime") / "mimetools"
    files = sorted(folder.glob("*.msg"))
    differences = []
    for path in files:
        message = MimeMessage(path.read_bytes().replace(b"\r\n", b"\n"))
        problem = ""
        for suffix in (".xml", "_decoded.xml"):
            node = read_xml((folder / f"{path.stem}{suffix}").read_bytes())
            problem = problem or compare(node, message, message.root, folder)
        if problem:
            reason = MIMETOOLS_ON_PURPOSE.get(path.stem, f"WRONG: {problem}")
            differences.append({"case": path.stem, "reason": reason})
    record(
        "mime-mimetools", passed=len(files) - len(differences), total=48, differences=differences
    )
    assert len(files) == 48
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []


def test_real_mail() -> None:
    """The parts that Python's library finds, too, and the same octets in them.

    It keeps white space at the ends of quoted-printable lines, and leaves base64 as it is where that
    does not end well.
    """
    mail = real_mail()
    differences = []
    for number, data in enumerate(mail):
        message = MimeMessage(data)
        parts = list(message.root.walk())
        theirs = list(email.message_from_bytes(data).walk())
        if [part.media_type for part in parts] != [each.get_content_type() for each in theirs]:
            differences.append({"case": str(number), "reason": "WRONG: other parts"})
            continue
        for part, each in zip(parts, theirs, strict=True):
            octets = each.get_payload(decode=True)
            if part.children or part.encoding == "base64" or not isinstance(octets, bytes):
                continue
            if without_trailing(message.body(part, EVERYTHING)) != without_trailing(octets):
                reason = f"WRONG: other octets at {part.body}"
                differences.append({"case": str(number), "reason": reason})
    record("mime-mail", passed=len(mail) - len(differences), total=1200, differences=differences)
    assert len(mail) == 1200
    assert differences == []


def without_trailing(data: bytes) -> list[bytes]:
    return [line.rstrip() for line in data.rstrip().splitlines()]
