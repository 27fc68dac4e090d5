"""The session, batches of calls, uploads and downloads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroad.service.jmap.jmap import BLOB, CORE, MAIL, METHODS, QUOTA, SUBMISSION, VACATION
from postroad.storage.memory import MemoryStore
from postroad.wire.jmap import Limits, RequestError
from tests.unit.service.jmap.reader import ACCOUNT, MethodRefused, Reader, letter


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


async def test_the_session_says_what_is_there() -> None:
    reader = await Reader.open()
    session = reader.jmap.session(ACCOUNT, "https://mail.example.org")
    assert session["username"] == "Ann@example.org"
    assert set(session["capabilities"]) == {
        CORE,
        MAIL,
        SUBMISSION,
        VACATION,
        QUOTA,
        BLOB,
    }
    assert session["capabilities"][CORE]["maxCallsInRequest"] == Limits().max_calls_in_request
    (account,) = session["accounts"].values()
    assert account["accountCapabilities"][MAIL]["maxMailboxesPerEmail"] == 1
    assert session["apiUrl"] == "https://mail.example.org/jmap/api"
    for name in ("accountId", "blobId", "name", "type"):
        assert f"{{{name}}}" in session["downloadUrl"]
    assert "{accountId}" in session["uploadUrl"]
    for name in ("types", "closeafter", "ping"):
        assert f"{{{name}}}" in session["eventSourceUrl"]
    answer = await reader.request(("Core/echo", {"a": [1, None]}, "x"))
    assert answer["methodResponses"] == [["Core/echo", {"a": [1, None]}, "x"]]
    assert answer["sessionState"] == session["state"]
    assert "createdIds" not in answer


async def test_results_of_one_call_are_arguments_of_the_next() -> None:
    reader = await Reader.open()
    for subject in ("one", "two"):
        await reader.arrive(letter(subject))
    query, emails = await reader.calls(
        ("Email/query", {}, "q"),
        (
            "Email/get",
            {
                "#ids": {"resultOf": "q", "name": "Email/query", "path": "/ids"},
                "properties": ["subject"],
            },
            "g",
        ),
    )
    assert [each["id"] for each in emails[1]["list"]] == query[1]["ids"]
    assert {each["subject"] for each in emails[1]["list"]} == {"one", "two"}


async def test_an_error_does_not_end_the_request() -> None:
    reader = await Reader.open()
    responses = (
        await reader.request(
            ("No/such", {}, "1"),
            ("Email/get", {"accountId": "a0000000000009", "ids": []}, "2"),
            ("Email/get", {"accountId": reader.account_id, "ids": [], "x": 1}, "3"),
            ("Email/get", {"#ids": {"resultOf": "9", "name": "x", "path": ""}}, "4"),
            ("Core/echo", {}, "5"),
        )
    )["methodResponses"]
    kinds = [each[1].get("type") for each in responses]
    assert kinds == [
        "unknownMethod",
        "accountNotFound",
        "invalidArguments",
        "invalidResultReference",
        None,
    ]
    assert [each[2] for each in responses] == ["1", "2", "3", "4", "5"]
    told = await reader.jmap.handle(
        ACCOUNT,
        b'{"using": [], "methodCalls": [["Mailbox/get", {}, "1"]]}',
        _visitor(),
    )
    assert b"unknownMethod" in told, "a capability has to be used for its methods"


def _visitor() -> Any:
    from postroad.service.jmap.jmap import Visitor

    return Visitor()


@pytest.mark.parametrize("name", METHODS)
async def test_each_method_checks_account_and_arguments(name: str) -> None:
    reader = await Reader.open()
    with pytest.raises(MethodRefused) as other:
        await reader.call(name, accountId="a0000000000009")
    assert other.value.told["type"] == "accountNotFound"
    for arguments in ({"accountId": None}, {"ids": 7, "unknown": 1}):
        with pytest.raises(MethodRefused) as wrong:
            await reader.call(name, **arguments)
        assert wrong.value.told["type"] in ("invalidArguments", "fromAccountNotFound")


async def test_a_store_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from postroad.ports import StorageError

    reader = await Reader.open()
    await reader.boxes()

    async def fail(*_: Any) -> Any:
        raise StorageError("disk")

    monkeypatch.setattr(reader.store.emails, "boxes", fail)
    with pytest.raises(MethodRefused) as error:
        await reader.call("Mailbox/get")
    assert error.value.told["type"] == "serverFail"


async def test_created_ids_go_from_call_to_call_and_to_the_client() -> None:
    reader = await Reader.open()
    boxes = await reader.boxes()
    answer = await reader.request(
        (
            "Mailbox/set",
            {"accountId": reader.account_id, "create": {"m": {"name": "Letters"}}},
            "1",
        ),
        (
            "Email/set",
            {
                "accountId": reader.account_id,
                "create": {"e": {"mailboxIds": {"#m": True}, "subject": "x"}},
            },
            "2",
        ),
        ("Email/get", {"accountId": reader.account_id, "ids": ["#e"]}, "3"),
        createdIds={"old": boxes["Trash"]},
    )
    assert set(answer["createdIds"]) == {"old", "m", "e"}
    (email,) = answer["methodResponses"][2][1]["list"]
    assert email["mailboxIds"] == {answer["createdIds"]["m"]: True}


async def test_upload_and_download() -> None:
    reader = await Reader.open()
    told = await reader.jmap.upload(ACCOUNT, "text/x", pieces(b"abc", b"d" * 2000))
    assert (told["size"], told["type"], told["accountId"]) == (2003, "text/x", reader.account_id)
    found = await reader.jmap.download(ACCOUNT, reader.account_id, told["blobId"])
    assert found is not None
    blob, stream = found
    assert (blob.size, blob.media_type) == (2003, "text/x")
    assert b"".join([piece async for piece in stream]) == b"abc" + b"d" * 2000
    assert await reader.jmap.download(ACCOUNT, "a0000000000009", told["blobId"]) is None
    for wrong in ("", "u0000000000001", "x", told["blobId"].lower(), "e0000000000001_0_5_p"):
        assert await reader.jmap.download(ACCOUNT, reader.account_id, wrong) is None


async def test_uploads_have_limits() -> None:
    limits = Limits(max_size_upload=10, max_concurrent_upload=1)
    reader = await Reader.open(limits=limits)
    with pytest.raises(RequestError) as large:
        await reader.jmap.upload(ACCOUNT, "", pieces(b"x" * 6, b"y" * 5))
    assert (large.value.limit, large.value.status) == ("maxSizeUpload", 413)
    store = reader.store
    assert isinstance(store, MemoryStore)
    assert store.state.contents == {}, "nothing of it is left"
    waits = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await waits.wait()

    first = asyncio.create_task(reader.jmap.upload(ACCOUNT, "", slow()))
    await asyncio.sleep(0)
    with pytest.raises(RequestError) as many:
        await reader.jmap.upload(ACCOUNT, "", pieces(b"x"))
    assert many.value.limit == "maxConcurrentUpload"
    waits.set()
    assert (await first)["size"] == 1
    assert (await reader.jmap.upload(ACCOUNT, "", pieces(b"z")))["size"] == 1


async def test_uploads_are_forgotten_after_a_while() -> None:
    reader = await Reader.open(keep_upload_seconds=100.0)
    first = await reader.jmap.upload(ACCOUNT, "", pieces(b"first"))
    reader.clock.at += 101
    await reader.jmap.upload(ACCOUNT, "", pieces(b"second"))
    assert await reader.jmap.download(ACCOUNT, reader.account_id, first["blobId"]) is None


async def test_watching() -> None:
    reader = await Reader.open()
    watch = reader.jmap.watch(ACCOUNT, 0.001)

    async def next_one() -> dict[str, str]:
        return await anext(watch)

    waiting = asyncio.create_task(next_one())
    await asyncio.sleep(0.01)
    assert not waiting.done(), "nothing has changed"
    await reader.arrive(letter("news"))
    states = await asyncio.wait_for(waiting, 5)
    assert states["Email"] == (await reader.call("Email/query"))["queryState"]
    await reader.jmap.stop()


async def test_too_many_requests_at_once() -> None:
    reader = await Reader.open(limits=Limits(max_concurrent_requests=0))
    with pytest.raises(RequestError) as error:
        await reader.boxes()
    assert error.value.limit == "maxConcurrentRequests"
