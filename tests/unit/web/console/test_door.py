"""Who comes into the console, and where its door leads."""

from pathlib import Path

import pytest

from postroad.model import Address
from tests.unit.web.console.operator import BASE, PASSWORD, at_the_desk, browser_of

PATHS = ("/me", "/queue", "/templates", "/webhooks", "/suppressions", "/nowhere")


async def test_operators_alone_come_in(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path) as desk:
        assert await desk.get("/me") == {"operator": "olga@here.test"}
        basic = ("olga@here.test", PASSWORD)
        async with browser_of(desk.site, Address("bob", "here.test")) as bob:
            for path in PATHS:
                nobody = await desk.site.anyone.get(BASE + path)
                assert nobody.status_code == 401
                by_key = await desk.site.client.get(BASE + path)
                assert by_key.status_code == 401, "a key of the API is no operator"
                by_password = await desk.site.anyone.get(BASE + path, auth=basic)
                assert by_password.status_code == 401, "nor is a password of a mail program"
                no_operator = await bob.get(BASE + path)
                assert no_operator.status_code == 403
                assert "account change bob@here.test --operator" in no_operator.json()["detail"]
        await desk.site.system.accounts.remove(Address("olga", "here.test"))
        assert (await desk.browser.get(BASE + "/me")).status_code == 401


async def test_other_sites_change_nothing(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path) as desk:
        body = {"name": "other.test"}
        for headers in ({"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await desk.browser.post(BASE + "/domains", json=body, headers=headers)
            assert answer.status_code == 403
        del desk.browser.headers["X-Postroad"]
        assert (await desk.browser.post(BASE + "/domains", json=body)).status_code == 403
        assert [each["name"] for each in (await desk.get("/domains"))["domains"]] == ["here.test"]


async def test_what_is_shared_with_the_api_is_the_operators_alone(tmp_path: Path) -> None:
    sections = {"streams": {"shop": {"kind": "transactional", "senders": ["shop@here.test"]}}}
    async with at_the_desk(tmp_path, **sections) as desk:
        template = {"subject": "Hi", "html": "<p style='color:red'>Hi {{ name }}</p>"}
        template["sample"] = {"name": "Ann"}  # type: ignore[assignment]
        saved = await desk.send("PUT", "/templates/hello", template, status=200)
        assert saved["by"] == "olga@here.test (API)"
        page = await desk.browser.get(BASE + "/previews/hello", params={"sample": '{"name":"Zoe"}'})
        assert "Hi Zoe" in page.text
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert policy.endswith("sandbox")
        assert (await desk.browser.get(BASE + "/previews/none")).status_code == 404
        entry = {"stream": "shop", "addresses": ["zoe@far.test"], "evidence": "asked by letter"}
        assert await desk.send("POST", "/suppressions", entry, status=200) == {"added": 1}
        (found,) = (await desk.get("/suppressions", stream="shop"))["suppressions"]
        assert found["address"] == "zoe@far.test"
        await desk.send("DELETE", "/suppressions/shop/zoe@far.test", status=204)
        hook = {"name": "shop", "url": "https://shop.test/hook"}
        assert (await desk.send("POST", "/webhooks", hook, status=201))["name"] == "shop"
        assert (await desk.get("/webhooks/shop/dead")) == {"dead": []}
        # The other routes of the API are none of the console's.
        for path in ("/messages", "/openapi.json", "/templatesx", "/../messages"):
            assert (await desk.browser.get(BASE + path)).status_code in (401, 404)
        # A session alone is no key of the API, beside the console.
        assert (await desk.browser.get("/api/v1/templates")).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/consoles", "/api/v1/console%2fme", "/api/v1/Console/me"])
async def test_what_only_looks_like_the_console(tmp_path: Path, path: str) -> None:
    async with at_the_desk(tmp_path) as desk:
        assert (await desk.site.anyone.get(path)).status_code in (401, 404)
