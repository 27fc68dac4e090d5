"""Emails as pages: for whom, under which header fields, and pictures by signed addresses alone."""

import base64
import re
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.model import Address, Filed, Group
from tests.unit.web.site import Site, running

ANN = ("ann@here.test", "a long enough password")
BOB = ("bob@here.test", "a long enough password")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60, 40) + b"\x08\2\0\0\0"
MAIL = (
    b"Subject: x\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<script>1</script><img src=cid:a%40b><img src=http://x.test/a>\r\n"
    b"--b\r\nContent-Type: image/jpeg\r\nContent-ID: <a@b>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(PNG).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, display={"max_picture_pixels": 10_000}) as opened:
        yield opened


async def put(site: Site, data: bytes = MAIL) -> str:
    """Put a message into ann's INBOX; return its path."""
    system = site.system
    account = await system.store.directory.account(Address("ann", "here.test"))
    assert account is not None
    writer = system.store.content.stage(system.office.entropy.id())
    writer.write(data)
    staged = await writer.finish()
    filed = Filed(1.0, account.inbox, staged.ref, 1.0)
    await system.store.ledger.commit(Group((filed,), (staged,)))
    number = next(iter((await site.anyone.get("/jmap/session", auth=ANN)).json()["accounts"]))
    calls = [["Email/query", {"accountId": number}, "q"]]
    body = {"using": ["urn:ietf:params:jmap:mail"], "methodCalls": calls}
    found = await site.anyone.post("/jmap/api", json=body, auth=ANN)
    return f"/mail-view/{found.json()['methodResponses'][0][1]['ids'][0]}"


async def test_a_page_is_its_owners(site: Site) -> None:
    path = await put(site)
    assert (await site.anyone.get(path)).status_code == 401
    assert (await site.anyone.get(path, auth=BOB)).status_code == 404
    assert (await site.anyone.get(f"{path}/about", auth=BOB)).status_code == 404
    assert (await site.anyone.get("/mail-view/nothing", auth=ANN)).status_code == 404
    assert (await site.anyone.get(f"{path}?images=yes", auth=ANN)).status_code == 400
    assert (await site.client.get(path)).status_code == 401, "a key of the API is no login"
    page = await site.anyone.get(path, auth=ANN)
    assert page.status_code == 200
    assert "<script" not in page.text
    about = (await site.anyone.get(f"{path}/about", auth=ANN)).json()
    assert about == {"remotePictures": 1, "cut": False}


async def test_header_fields_of_a_page(site: Site) -> None:
    path = await put(site)
    headers = (await site.anyone.get(path, auth=ANN)).headers
    own = f"{site.url}/mail-view/picture/"
    assert headers["content-security-policy"] == (
        f"default-src 'none'; img-src {own}; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "private, no-store"
    measured = (await site.anyone.get(f"{path}?measure=1", auth=ANN)).headers
    assert "allow-same-origin" in measured["content-security-policy"]
    assert "allow-scripts" not in measured["content-security-policy"]
    odd = await site.anyone.get(path, auth=ANN, headers={"Host": "x; script-src *"})
    assert "script-src" not in odd.headers["content-security-policy"]


async def test_a_picture_of_the_message_needs_its_address_alone(site: Site) -> None:
    path = await put(site)
    page = (await site.anyone.get(path, auth=ANN)).text
    (address,) = re.findall(r"src=\"(/mail-view/picture/[^\"]+)\"", page)
    shown = await site.anyone.get(address)
    assert shown.content == PNG
    assert shown.headers["content-type"] == "image/png", "as it is, not as it says"
    assert shown.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert shown.headers["cross-origin-resource-policy"] == "cross-origin"
    middle = len(address) // 2
    other = "A" if address[middle] != "A" else "B"
    for forged in (address[:-4], address[:middle] + other + address[middle + 1 :], address + "A"):
        assert (await site.anyone.get(forged)).status_code == 404
    assert (await site.anyone.get("/mail-view/picture/" + "A" * 7_000)).status_code == 404


async def test_a_picture_of_the_web_is_fetched_where_asked_for_and_not_from_our_network(
    site: Site,
) -> None:
    path = await put(site, b"Content-Type: text/html\r\n\r\n<img src=http://127.0.0.1:1/a.png>\r\n")
    assert "src=" not in (await site.anyone.get(path, auth=ANN)).text.partition("<body")[2]
    page = (await site.anyone.get(f"{path}?images=1", auth=ANN)).text
    (address,) = re.findall(r"src=\"(/mail-view/picture/[^\"]+)\"", page)
    refused = await site.anyone.get(address)
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:postroad:problem:no-picture")


async def test_what_is_huge_or_no_picture_is_not_shown(site: Site) -> None:
    huge = PNG.replace(struct.pack(">I", 60), struct.pack(">I", 60_000))
    for data in (huge, b"<svg xmlns='x' onload='1'/>", b"<html>"):
        body = base64.encodebytes(data).replace(b"\n", b"\r\n")
        mail = MAIL.replace(base64.encodebytes(PNG).replace(b"\n", b"\r\n"), body)
        page = (await site.anyone.get(await put(site, mail), auth=ANN)).text
        for address in re.findall(r"src=\"(/mail-view/picture/[^\"]+)\"", page):
            assert (await site.anyone.get(address)).status_code == 404
