"""``/api/v1/templates``, by the port of a running server."""

from pathlib import Path

from postroad.model import ApiScope
from tests.unit.web.site import running

URL = "/api/v1/templates"
WELCOME = {
    "subject": "Hi {{ name }}",
    "html": "<p>Hi {{ name }},</p>\n<p>{{ user.age }}</p>",
    "sample": {"name": "A&B", "user": {"age": 7}},
}


async def test_save_try_and_roll_back(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        client = site.client
        saved = await client.put(f"{URL}/welcome", json=WELCOME)
        assert saved.status_code == 200, saved.text
        assert saved.json().items() >= {**WELCOME, "version": 1, "live": True}.items()
        assert saved.json()["by"] == "all (API)"
        made = (await client.post(f"{URL}/welcome/preview", json={})).json()
        assert made["subject"] == "Hi A&B"
        assert made["html"].startswith("<p>Hi A&amp;B,</p>")
        assert made["text"] == "Hi A&B,\n\n7"
        second = {"subject": "Second", "text": "x", "live": False}
        assert (await client.put(f"{URL}/welcome", json=second)).json()["version"] == 2
        assert (await client.get(f"{URL}/welcome")).json()["version"] == 1
        tried = await client.post(f"{URL}/welcome/preview", json={"version": 2, "data": {}})
        assert tried.json()["subject"] == "Second"
        live = await client.post(f"{URL}/welcome/activate", json={"version": 2})
        assert live.json()["live"] is True
        assert (await client.get(f"{URL}/welcome")).json()["subject"] == "Second"
        assert (await client.get(f"{URL}/welcome?version=1")).json()["live"] is False
        versions = (await client.get(f"{URL}/welcome/versions")).json()["templates"]
        assert [(each["version"], each["live"]) for each in versions] == [(2, True), (1, False)]
        listed = (await client.get(URL)).json()["templates"]
        assert [(each["name"], each["version"]) for each in listed] == [("welcome", 2)]
        assert (await client.delete(f"{URL}/welcome")).status_code == 204
        assert (await client.get(f"{URL}/welcome")).status_code == 404


async def test_a_missing_variable_is_named_with_its_line(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        await site.client.put(f"{URL}/welcome", json=WELCOME)
        answer = await site.client.post(
            f"{URL}/welcome/preview", json={"data": {"name": "x", "user": {}}}
        )
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "urn:postroad:problem:template"
        assert problem["errors"][0]["field"] == "data.user.age"
        assert "html, line 2" in problem["detail"]


async def test_what_will_not_do_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        put = site.client.put
        loop = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}"
        deep = "<mjml><mj-body>" + "<mj-wrapper>" * 20_000
        for body, status in (
            ({"html": "{% if"}, 422),
            ({}, 422),
            ({"html": "x", "mjml": "y"}, 422),
            ({"text": loop}, 422),
            ({"mjml": deep}, 422),
            ({"text": "x", "layout": "nothing"}, 422),
            ({"text": "x" * 600_000}, 422),
            ({"text": 5}, 400),
            ({"text": "x", "other": 1}, 400),
            ({"text": "x", "sample": [1]}, 400),
        ):
            answer = await put(f"{URL}/bad", json=body)
            assert answer.status_code == status, (body, answer.text)
        assert (await put(f"{URL}/Bad%20name", json={"text": "x"})).status_code == 422
        nested = "[" * 100_000
        answer = await site.client.post(
            f"{URL}/bad/preview",
            content=f'{{"data": {{"a": {nested}',
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 400, answer.text
        for version in (0, -1, 2**63, 10**30):
            answer = await site.client.get(f"{URL}/bad?version={version}")
            assert answer.status_code in (400, 404), answer.text
        for method, path in (
            ("GET", "/bad"),
            ("GET", "/bad/versions"),
            ("DELETE", "/bad"),
            ("GET", "/a%00b"),
        ):
            assert (await site.client.request(method, URL + path)).status_code == 404
        for path, body in (("preview", {}), ("activate", {"version": 1})):
            assert (await site.client.post(f"{URL}/bad/{path}", json=body)).status_code == 404
        assert (await site.client.get(URL)).json() == {"templates": []}


async def test_only_keys_for_settings_of_the_whole_server(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        assert (await site.anyone.get(URL)).status_code == 401
        for headers in (
            await site.key(ApiScope.SEND, ApiScope.READ, ApiScope.MANAGE),
            await site.key(ApiScope.SETTINGS, domains=("here.test",)),
        ):
            assert (await site.anyone.get(URL, headers=headers)).status_code == 403
            answer = await site.anyone.put(f"{URL}/x", json={"text": "x"}, headers=headers)
            assert answer.status_code == 403
