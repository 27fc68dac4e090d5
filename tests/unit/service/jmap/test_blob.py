"""Blobs made and read within a request."""

import base64
import hashlib
from typing import Any

import pytest

from postroad.service.jmap.blob import MAX_OCTETS, MAX_SOURCES
from tests.unit.service.jmap.reader import MethodRefused, Reader, letter


async def put(reader: Reader, *sources: Any, **more: Any) -> dict[str, Any]:
    told = await reader.call("Blob/upload", create={"b": {"data": list(sources), **more}})
    found: dict[str, Any] = (told["created"] or told["notCreated"])["b"]
    return found


async def get(reader: Reader, blob: str, *properties: str, **more: Any) -> dict[str, Any]:
    given = {"properties": list(properties)} if properties else {}
    told = await reader.call("Blob/get", ids=[blob], **given, **more)
    (found,) = told["list"]
    return {name: value for name, value in found.items() if name != "id"}


async def test_data_is_kept_and_read_back_as_a_whole_and_in_part() -> None:
    reader = await Reader.open()
    made = await put(reader, {"data:asText": "Hello, "}, {"data:asBase64": "d29ybGQ="})
    assert (made["size"], made["type"]) == (12, "application/octet-stream")
    blob = made["id"]
    assert await get(reader, blob) == {"data:asText": "Hello, world", "size": 12}
    assert await get(reader, blob, "data:asBase64", offset=7) == {"data:asBase64": "d29ybGQ="}
    cut = await get(reader, blob, "data:asText", offset=7, length=99)
    assert cut == {"data:asText": "world", "isTruncated": True}
    assert await get(reader, blob, "data:asText", offset=7, length=2) == {"data:asText": "wo"}
    digest = base64.b64encode(hashlib.sha256(b"world").digest()).decode()
    assert await get(reader, blob, "digest:sha-256", offset=7) == {"digest:sha-256": digest}
    other = await put(
        reader, {"blobId": blob, "offset": 7, "length": 3}, {"data:asText": "!"}, type="text/plain"
    )
    assert other["type"] == "text/plain"
    assert (await get(reader, other["id"], "data"))["data:asText"] == "wor!"
    responses = await reader.calls(
        ("Blob/upload", {"create": {"x": {"data": [{"data:asText": "later"}]}}}, "0"),
        ("Blob/get", {"ids": ["#x", "u0000000000001"], "properties": ["data"]}, "1"),
    )
    assert [each["data:asText"] for each in responses[1][1]["list"]] == ["later"]
    assert responses[1][1]["notFound"] == ["u0000000000001"]


async def test_what_is_no_text_comes_in_base_64() -> None:
    reader = await Reader.open()
    blob = (await put(reader, {"data:asBase64": "/w=="}))["id"]
    assert await get(reader, blob, "data") == {"data:asBase64": "/w==", "isEncodingProblem": True}
    told = await get(reader, blob, "data:asText")
    assert told == {"data:asText": None, "isEncodingProblem": True}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"data:asBase64": "?"}, "invalidProperties"),
        ({"data:asText": 7}, "invalidProperties"),
        ({"data:asText": "a", "blobId": "b"}, "invalidProperties"),
        ("text", "invalidProperties"),
        ({"blobId": "u0000000000001"}, "blobNotFound"),
        ({"data:asText": "x" * (MAX_OCTETS + 1)}, "tooLarge"),
    ],
)
async def test_what_is_not_kept(source: Any, kind: str) -> None:
    reader = await Reader.open()
    assert (await put(reader, source))["type"] == kind


async def test_bounds() -> None:
    reader = await Reader.open()
    blob = (await put(reader, {"data:asText": "x" * 600_000}))["id"]
    for wrong in ({"offset": 5, "length": 600_000}, {"offset": -1}, {"length": "5"}):
        assert (await put(reader, {"blobId": blob, **wrong}))["type"] == "invalidProperties"
    assert (await put(reader, {"blobId": blob}, {"blobId": blob}))["type"] == "tooLarge"
    told = await put(reader, *[{"data:asText": "x"}] * (MAX_SOURCES + 1))
    assert told["type"] == "invalidProperties"
    other = (await put(reader, {"data:asText": "y" * 600_000}))["id"]
    with pytest.raises(MethodRefused) as refused:
        await reader.call("Blob/get", ids=[blob, other], properties=["data:asText"])
    assert refused.value.told["type"] == "requestTooLarge"
    told = await reader.call("Blob/get", ids=[blob, other], properties=["size"])
    assert [each["size"] for each in told["list"]] == [600_000, 600_000]
    with pytest.raises(MethodRefused):
        await reader.call("Blob/get", ids=[blob], properties=["color"])


async def test_where_blobs_are() -> None:
    reader = await Reader.open()
    await reader.arrive(letter("one"))
    (email,) = await reader.ids()
    (whole,) = (
        await reader.call(
            "Email/get", ids=[email], properties=["threadId", "mailboxIds", "textBody"]
        )
    )["list"]
    part = whole["textBody"][0]["blobId"]
    upload = (await put(reader, {"data:asText": "x"}))["id"]
    told = await reader.call(
        "Blob/lookup", ids=[part, upload, "z"], typeNames=["Email", "Thread", "Mailbox"]
    )
    first, second = (each["matchedIds"] for each in told["list"])
    assert first == {
        "Email": [email],
        "Thread": [whole["threadId"]],
        "Mailbox": list(whole["mailboxIds"]),
    }
    assert second == {"Email": [], "Thread": [], "Mailbox": []}
    assert told["notFound"] == ["z"]
    with pytest.raises(MethodRefused) as refused:
        await reader.call("Blob/lookup", ids=[part], typeNames=["Calendar"])
    assert refused.value.told["type"] == "unknownDataType"
