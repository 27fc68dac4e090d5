"""Properties of emails: from what was noticed, and from their bytes."""

from typing import Any

import pytest

from tests.unit.service.jmap.reader import MethodRefused, Reader, letter
from tests.unit.service.jmap.test_email_set import content, email

TWO_BODIES = (
    b"From: Bob <bob@far.example>\r\nTo: Team: ann@example.org, C <c@d.test>;\r\nSubject: both\r\n"
    b"List-Archive: <https://x.test/a>\r\nX-Note: one\r\nX-Note: =?utf-8?q?zw=C3=B6lf?=\r\n"
    b"Date: Wed, 25 Nov 2026 12:00:00 +0200\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
    b"Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"H=C3=A4llo\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--a--\r\n--m\r\n"
    b"Content-Type: image/png; name=p.png\r\nContent-Language: de, en\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n"
    b"iVBORw0KGgo=\r\n--m--\r\n"
)


async def test_structure_and_bodies() -> None:
    reader = await Reader.open()
    await reader.arrive(TWO_BODIES)
    (number,) = await reader.ids()
    found = await email(
        reader,
        number,
        "bodyStructure",
        "textBody",
        "htmlBody",
        "attachments",
        "bodyValues",
        fetchAllBodyValues=True,
    )
    structure = found["bodyStructure"]
    assert structure["type"] == "multipart/mixed"
    assert structure["partId"] is None
    assert [part["type"] for part in structure["subParts"]] == [
        "multipart/alternative",
        "image/png",
    ]
    (text,), (html,), (picture,) = found["textBody"], found["htmlBody"], found["attachments"]
    assert (text["charset"], html["charset"], text["size"]) == ("utf-8", "us-ascii", 6)
    assert found["bodyValues"][text["partId"]]["value"] == "Hällo"
    assert found["bodyValues"][html["partId"]]["value"] == "<p>Hello</p>"
    assert (picture["name"], picture["size"], picture["language"]) == ("p.png", 8, ["de", "en"])
    assert await content(reader, picture["blobId"]) == b"\x89PNG\r\n\x1a\n"
    assert await content(reader, text["blobId"]) == "Hällo".encode()
    only = await email(reader, number, "textBody", bodyProperties=["type", "header:Content-Type"])
    assert only["textBody"] == [
        {"type": "text/plain", "header:Content-Type": " text/plain; charset=utf-8"}
    ]


async def test_texts_are_cut_between_letters() -> None:
    reader = await Reader.open()
    await reader.arrive(TWO_BODIES)
    (number,) = await reader.ids()

    async def values(most: int) -> list[Any]:
        found = await email(
            reader, number, "bodyValues", fetchAllBodyValues=True, maxBodyValueBytes=most
        )
        return [(each["value"], each["isTruncated"]) for each in found["bodyValues"].values()]

    assert await values(2) == [("H", True), ("", True)], "neither a letter nor a tag is cut in two"
    assert await values(5) == [("Häll", True), ("<p>He", True)]
    assert await values(6) == [("Hällo", False), ("<p>Hel", True)]


async def test_forms_of_header_fields() -> None:
    reader = await Reader.open()
    await reader.arrive(TWO_BODIES)
    (number,) = await reader.ids()
    names = [
        "header:X-Note",
        "header:x-note:asText:all",
        "header:To:asGroupedAddresses",
        "header:Date:asDate",
        "header:List-Archive:asURLs",
        "header:None:asMessageIds",
        "header:None:all",
        "headers",
    ]
    found = await email(reader, number, *names)
    assert found["header:X-Note"] == " =?utf-8?q?zw=C3=B6lf?=", "the last one"
    assert found["header:x-note:asText:all"] == ["one", "zwölf"]
    (group,) = found["header:To:asGroupedAddresses"]
    assert (group["name"], len(group["addresses"])) == ("Team", 2)
    assert found["header:Date:asDate"] == "2026-11-25T12:00:00+02:00"
    assert found["header:List-Archive:asURLs"] == ["https://x.test/a"]
    assert (found["header:None:asMessageIds"], found["header:None:all"]) == (None, [])
    assert [each["name"] for each in found["headers"]][:3] == ["Return-Path", "From", "To"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"properties": ["colour"]},
        {"properties": ["header:"]},
        {"properties": ["header:X:asNothing"]},
        {"properties": ["header:From:asDate"]},
        {"properties": ["header:Subject:asAddresses"]},
        {"properties": 7},
        {"bodyProperties": ["colour"]},
        {"maxBodyValueBytes": -1},
        {"fetchAllBodyValues": 1},
    ],
    ids=str,
)
async def test_what_cannot_be_asked(arguments: dict[str, Any]) -> None:
    reader = await Reader.open()
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/get", ids=[], **arguments)
    assert error.value.told["type"] == "invalidArguments"


async def test_what_is_noticed_is_what_the_bytes_say() -> None:
    reader = await Reader.open()
    await reader.arrive(letter("Grüße", more="Cc: Jö <jo@x.test>\r\nIn-Reply-To: <1@x>\r\n"))
    (number,) = await reader.ids()
    noticed = await email(reader, number)
    parsed = (await reader.call("Email/parse", blobIds=[number]))["parsed"][number]
    for name in (
        "subject",
        "from",
        "to",
        "cc",
        "bcc",
        "messageId",
        "inReplyTo",
        "sentAt",
        "preview",
    ):
        assert noticed[name] == parsed[name], name


async def test_snippets() -> None:
    reader = await Reader.open()
    await reader.arrive(letter("Plan & <tea>", body="word " * 100 + "Grüße <b> & more\r\n"))
    (number,) = await reader.ids()

    async def snippet(where: Any) -> Any:
        told = await reader.call("SearchSnippet/get", emailIds=[number, "x"], filter=where)
        assert told["notFound"] == ["x"]
        (only,) = told["list"]
        return only["subject"], only["preview"]

    subject, preview = await snippet({"text": "tea gruße"})
    assert subject == "Plan &amp; &lt;<mark>tea</mark>&gt;"
    assert "<mark>Grüße</mark> &lt;b&gt; &amp; more" in preview
    assert len(preview.encode()) <= 255
    assert await snippet({"subject": "plan"}) == ("<mark>Plan</mark> &amp; &lt;tea&gt;", None)
    assert await snippet({"operator": "NOT", "conditions": [{"text": "tea"}]}) == (None, None)
