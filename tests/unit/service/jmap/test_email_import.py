"""Messages that were uploaded are filed as they are, and parsed without being filed."""

from typing import Any

import pytest

from tests.unit.service.jmap.reader import ACCOUNT, MethodRefused, Reader, letter
from tests.unit.service.jmap.test_email_set import content, email
from tests.unit.service.jmap.test_jmap import pieces


async def upload(reader: Reader, data: bytes) -> str:
    told = await reader.jmap.upload(ACCOUNT, "message/rfc822", pieces(data))
    blob: str = told["blobId"]
    return blob


async def test_importing() -> None:
    reader = await Reader.open()
    boxes = await reader.boxes()
    data = letter("old", body="x" * 70 + "\r\n" * 200_000)
    blob = await upload(reader, data)
    told = await reader.call(
        "Email/import",
        emails={
            "a": {
                "blobId": blob,
                "mailboxIds": {boxes["Archive"]: True},
                "keywords": {"$seen": True},
                "receivedAt": "2020-01-01T00:00:00Z",
            }
        },
    )
    number = told["created"]["a"]["id"]
    assert told["created"]["a"]["size"] == len(data)
    found = await email(reader, number, "receivedAt", "keywords", "subject", "mailboxIds")
    assert found["receivedAt"] == "2020-01-01T00:00:00Z"
    assert found["mailboxIds"] == {boxes["Archive"]: True}
    assert await content(reader, number) == data
    assert told["oldState"] != told["newState"]


@pytest.mark.parametrize(
    ("data", "more", "kind"),
    [
        (b"Subject: x\n\nbody\n", {}, "invalidEmail"),
        (b"Subject: x\r\n\r\nbare\rcr\r\n", {}, "invalidEmail"),
        (b"no header at all", {}, "invalidEmail"),
        (b"", {}, "invalidEmail"),
        (b"Subject: x\r\n\r\n", {"blobId": "u0000000000001"}, "invalidProperties"),
        (b"Subject: x\r\n\r\n", {"mailboxIds": {}}, "invalidProperties"),
        (b"Subject: x\r\n\r\n", {"keywords": {"(": True}}, "invalidProperties"),
        (b"Subject: x\r\n\r\n", {"colour": "red"}, "invalidProperties"),
        (b"Subject: x\r\n\r\n" + b"y" * 2000, {}, "tooLarge"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_is_not_imported(data: bytes, more: dict[str, Any], kind: str) -> None:
    reader = await Reader.open(max_message_octets=1000)
    boxes = await reader.boxes()
    given = {"blobId": await upload(reader, data), "mailboxIds": {boxes["Inbox"]: True}, **more}
    told = await reader.call("Email/import", emails={"a": given})
    assert told["notCreated"]["a"]["type"] == kind
    assert await reader.ids() == []


async def test_parsing_an_attached_message() -> None:
    reader = await Reader.open()
    inner = letter("inner").decode()
    await reader.arrive(
        letter("outer").partition(b"\r\n\r\n")[0]
        + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee\r\n--b\r\n"
        + b"Content-Type: message/rfc822\r\n\r\n"
        + inner.encode()
        + b"\r\n--b--\r\n"
    )
    (number,) = await reader.ids()
    (attached,) = (await email(reader, number, "attachments"))["attachments"]
    assert attached["type"] == "message/rfc822"
    blob = attached["blobId"]
    told = await reader.call("Email/parse", blobIds=[blob, "x"], fetchTextBodyValues=True)
    parsed = told["parsed"][blob]
    assert (parsed["subject"], parsed["from"][0]["email"]) == ("inner", "bob@far.example")
    assert [each["value"] for each in parsed["bodyValues"].values()] == ["Hello\n"]
    assert told["notFound"] == ["x"]
    nothing = await upload(reader, b"\r\nno fields\r\n")
    assert (await reader.call("Email/parse", blobIds=[nothing]))["notParsable"] == [nothing]
    boxes = await reader.boxes()
    given = {"blobId": blob, "mailboxIds": {boxes["Inbox"]: True}}
    told = await reader.call("Email/import", emails={"a": given})
    assert await content(reader, told["created"]["a"]["id"]) == inner.encode()


async def test_copying_needs_another_account() -> None:
    reader = await Reader.open()
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/copy", fromAccountId=reader.account_id, create={})
    assert error.value.told["type"] == "invalidArguments"
    with pytest.raises(MethodRefused) as error:
        await reader.call("Email/copy", fromAccountId="a0000000000009", create={})
    assert error.value.told["type"] == "fromAccountNotFound"
