"""Sending by templates, through the port of a running server."""

import re
from pathlib import Path
from typing import Any

import msgspec

from postroad.message.mime import MimeMessage, text_of_message
from postroad.model import ApiScope, parse_id
from tests.unit.web.site import Site, running

URL = "/api/v1/messages"
ORDER: dict[str, Any] = {
    "from": "Ann <ann@here.test>",
    "to": "bob@here.test",
    "template": "order",
    "data": {"name": "J\u00f8 & Bo", "url": "https://a.example/?a=1&b=2"},
}
TEMPLATE = {
    "subject": "Order of {{ name }}",
    "html": '<style>p { color: red }</style><p>Hi {{ name }}</p><a href="{{ url }}">see</a>',
}


async def stored(site: Site, id: str) -> MimeMessage:
    message = await site.system.store.queue.message(parse_id(id))
    assert message is not None
    return MimeMessage(await site.system.store.content.read(message.content))


async def test_a_message_is_made_of_its_template(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        assert (await site.client.put("/api/v1/templates/order", json=TEMPLATE)).is_success
        headers = await site.key(ApiScope.SEND, domains=("here.test",))
        taken = await site.anyone.post(URL, json=ORDER, headers=headers)
        assert taken.status_code == 202, taken.text
        message = await stored(site, taken.json()["id"])
        assert message.text("subject") == "Order of J\u00f8 & Bo"
        said = text_of_message(message, 100_000)
        assert "Hi J\u00f8 & Bo" in said.text
        assert len(message.root.children) == 2, "text and HTML"
        html = message.body_text(message.root.children[1], 10_000)
        assert '<p style="color: red;">Hi J\u00f8 &amp; Bo</p>' in html
        plain = message.body_text(message.root.children[0], 10_000)
        assert "see (https://a.example/?a=1&b=2)" in plain


async def test_the_page_says_how(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs/howto/send-from-templates.md").read_text()
    files = dict(re.findall(r"`([a-z]+\.[a-z]+)`[^`]*?:\n\n```\w+\n(.*?)```", page, re.S))
    async with running(tmp_path) as site:
        template = {"subject": "Your order", "html": files["welcome.html"]}
        assert (await site.client.put("/api/v1/templates/welcome", json=template)).is_success
        item = {"count": 1, "title": "Tea"}
        data = {"name": "Ann", "url": "https://shop.example/o/18", "items": [item]}
        asked = {"from": "ann@here.test", "to": "bob@here.test", "template": "welcome"}
        taken = await site.client.post(URL, json=asked | {"data": data})
        assert taken.status_code == 202, taken.text
        message = await stored(site, taken.json()["id"])
        assert message.text("subject") == "Your order"
        (missing,) = re.findall(r"```json\n(\{\"type.*?)```", page, re.S)
        lacking = asked | {"data": {"name": "Ann", "items": []}}
        refused = await site.client.post(URL, json=lacking)
        assert refused.json() == msgspec.json.decode(missing)


async def test_what_will_not_do_creates_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        await site.client.put("/api/v1/templates/order", json=TEMPLATE)
        await site.client.put("/api/v1/templates/draft", json={"text": "x", "live": False})
        for change, status, field in (
            ({"data": {"name": "x"}}, 422, "data.url"),
            ({"data": None}, 422, "data.name"),
            ({"template": "other"}, 422, "template"),
            ({"template": "draft"}, 422, "template"),
            ({"template": None}, 400, "data"),
            ({"subject": "own"}, 400, "subject"),
            ({"html": "<p>"}, 400, "html"),
            ({"data": [1]}, 400, "data"),
            ({"data": {"name": "a\x00", "url": ""}}, 422, "subject"),
        ):
            answer = await site.client.post(URL, json=ORDER | change)
            assert answer.status_code == status, answer.text
            assert answer.json()["errors"][0]["field"] == field
        assert (await site.client.get(URL)).json()["messages"] == []


async def test_each_of_a_batch_has_its_data(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        await site.client.put("/api/v1/templates/order", json=TEMPLATE)
        many = [ORDER | {"data": {"name": str(number), "url": "x"}} for number in range(30)]
        many[7] = ORDER | {"data": {"name": "7"}}
        answer = (await site.client.post(f"{URL}/batch", json=many)).json()
        assert [each["status"] for each in answer] == [202] * 7 + [422] + [202] * 22
        last = await stored(site, answer[29]["receipt"]["id"])
        assert last.text("subject") == "Order of 29"
