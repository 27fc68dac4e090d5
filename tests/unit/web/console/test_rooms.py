"""The other pages' answers: each room is asked, and changes what it says that it changes."""

from pathlib import Path

from postroad.model import Address, ApiScope, Envelope, Origin, Recipient, ServerKind
from tests.unit.web.console.operator import PASSWORD, at_the_desk

STREAMS = {"shop": {"kind": "transactional", "senders": ["shop@here.test"]}}


async def test_figures_overview_streams_and_journeys(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path, streams=STREAMS) as desk:
        letter: dict[str, object] = {
            "from": "shop@here.test",
            "to": ["bob@here.test", "x@gone.test"],
        }
        letter["text"] = "Hi"
        sent = (await desk.site.client.post("/api/v1/messages", json=letter)).json()
        system = desk.site.system
        for _ in range(500):
            found = await desk.get(f"/journeys/{sent['id']}")
            if all(each["state"] in ("delivered", "bounced") for each in found["deliveries"]):
                break
            await system.office.clock.sleep(0.02)
        await system.figures.write()
        for window in ("hour", "day", "week", "month", "year"):
            chart = await desk.get("/figures", window=window)
            shop = next(each for each in chart["streams"] if each["name"] == "shop")
            assert (shop["accepted"], shop["delivered"], shop["bounced"]) == (1, 1, 1)
            assert sum(chart["delivered"]) >= 1
            assert chart["latency"]["p99"] > 0
        assert (await desk.get("/overview"))["deliveries"] == {"due": 0, "leased": 0, "held": 0}
        first, last = (await desk.get("/streams"))["streams"]
        assert (first["name"], first["kind"], first["keeps_list"]) == (
            "shop",
            "transactional",
            True,
        )
        assert first["settings"] == {"senders": ["shop@here.test"]}
        assert last["name"] == "default"
        for q in (
            sent["id"],
            sent["id"].lower(),
            sent["message_id"],
            "x@gone.test",
            "Bob@here.test",
        ):
            (row,) = (await desk.get("/journeys", q=q))["messages"]
            assert row["id"] == sent["id"], q
        assert (await desk.get("/journeys"))["messages"]
        for q in ("nobody@x.test", "38GM35C8EEWXK", "<none@x>"):
            assert (await desk.get("/journeys", q=q))["messages"] == []
        await desk.send("GET", "/journeys/38GM35C8EEWXK", status=404)


async def test_domains_people_and_keys(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path) as desk:
        await desk.send("POST", "/domains", {"name": "Two.test"}, status=201)
        await desk.send("POST", "/domains", {"name": "two.test"}, status=409)
        await desk.send("POST", "/domains", {"name": "two..test"}, status=400)
        made = await desk.send("POST", "/accounts", {"address": "zoe@two.test"}, status=201)
        assert len(made["password"]) >= 16
        given = {"address": "max@two.test", "password": PASSWORD}
        assert await desk.send("POST", "/accounts", given, status=201) == {"password": ""}
        fresh = await desk.send(
            "POST", "/accounts/password", {"address": "max@two.test"}, status=200
        )
        assert fresh["password"]
        await desk.send("POST", "/accounts/password", {"address": "no@two.test"}, status=422)
        alias = {"address": "info@two.test", "targets": ["zoe@two.test"]}
        await desk.send("POST", "/aliases", alias, status=201)
        await desk.send("POST", "/domains/two.test/keys", status=201)
        await desk.send("POST", "/domains/two.test/keys", status=422)  # successors wait already
        rows = {each["name"]: each for each in (await desk.get("/domains"))["domains"]}
        assert (rows["two.test"]["accounts"], rows["two.test"]["aliases"]) == (2, 1)
        assert rows["two.test"]["keys"] == len((await desk.get("/domains/two.test/keys"))["keys"])
        topics = {each["topic"] for each in (await desk.get("/domains/two.test/check"))["findings"]}
        assert {"MX", "SPF", "DKIM", "DMARC"} <= topics
        records = (await desk.get("/domains/two.test/records"))["records"]
        assert any(each["line"].startswith("_dmarc.two.test. 3600 IN TXT") for each in records)
        await desk.send("GET", "/domains/three.test/check", status=404)
        assert [each["address"] for each in (await desk.get("/aliases"))["aliases"]] == [
            "info@two.test"
        ]
        await desk.send("DELETE", "/domains/two.test", status=409)
        await desk.send("DELETE", "/aliases?address=info@two.test", status=204)
        for name in ("zoe", "max"):
            await desk.send("DELETE", f"/accounts?address={name}@two.test", status=204)
        await desk.send("DELETE", "/domains/two.test", status=204)
        operators = [
            e["address"] for e in (await desk.get("/accounts"))["accounts"] if e["operator"]
        ]
        assert operators == ["olga@here.test"]

        key = {"name": "the shop/eu", "scopes": ["send"], "domains": ["here.test"]}
        token = (await desk.send("POST", "/keys", key, status=201))["token"]
        known = await desk.site.system.office.api_keys.verify(token)
        assert known is not None
        assert known.scopes == (ApiScope.SEND,)
        assert "the shop/eu" in [each["name"] for each in (await desk.get("/keys"))["keys"]]
        await desk.send("DELETE", "/keys?name=the shop/eu", status=204)
        await desk.send("DELETE", "/keys?name=the shop/eu", status=409)


async def test_reports_and_health(tmp_path: Path) -> None:
    async with at_the_desk(tmp_path, dmarc_reports={"contact": "bob@here.test"}) as desk:
        bob = Address("bob", "here.test")
        report = (
            b"From: r@far.test\r\nTo: bob@here.test\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: application/tlsrpt+json\r\n\r\n"
            b'{"organization-name":"far.test","date-range":{"start-datetime":"2026-11-20T00:00:00Z",'
            b'"end-datetime":"2026-11-20T23:59:59Z"},"contact-info":"r@far.test","report-id":"1",'
            b'"policies":[{"policy":{"policy-type":"sts","policy-domain":"here.test"},"summary":'
            b'{"total-successful-session-count":7,"total-failure-session-count":2},"failure-details":'
            b'[{"result-type":"certificate-expired","failed-session-count":2}]}]}\r\n'
        )
        envelope = Envelope(Address("r", "far.test"), (Recipient(bob),))
        system = desk.site.system
        assert (await system.intake.submit(envelope, report, Origin(ServerKind.LOCAL))).positive
        shown = await desk.get("/reports")
        for _ in range(500):
            shown = await desk.get("/reports")
            if shown["reports"]:
                break
            await system.office.clock.sleep(0.02)
        assert shown["account"] == "bob@here.test"
        assert shown["tls"] == [{"day": "2026-11-20", "good": 7, "bad": 2}]
        assert shown["failures"][0]["result"] == "certificate-expired"
        assert shown["reports"][0]["sender"] == "far.test"
        await desk.send("GET", "/reports?account=nobody@here.test", status=422)
        findings = (await desk.get("/health"))["findings"]
        assert {each["topic"] for each in findings} >= {
            "certificate",
            "disk",
            "clock",
            "queue",
            "ports",
        }
        assert any(each["text"].startswith("http on 127.0.0.1:") for each in findings)
