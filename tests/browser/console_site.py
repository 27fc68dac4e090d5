"""A real server with an operator and a good deal of mail behind it, for the pages of the console."""

import asyncio
import contextlib
import gzip
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from postroad.model import (
    Address,
    ApiScope,
    Envelope,
    Figure,
    FiguresCounted,
    Group,
    Origin,
    Recipient,
    ServerKind,
)
from postroad.model.tally import LONG_SECONDS
from postroad.runtime.compose import System
from tests.fake_dns import FakeDns
from tests.unit.web.site import config_of

OPERATOR = "ann@here.test"
PASSWORD = "a long enough password"
HELD_BACK = 1200
"""Deliveries to slow.test, whose name servers do not answer."""

_RECORDS = {
    "slow.test": {"MX": ["!"]},
    "here.test": {"MX": ["10 mail.here.test."], "TXT": ["v=spf1 a:mail.here.test -all"]},
    "mail.here.test": {"A": ["192.0.2.10"]},
    "10.2.0.192.in-addr.arpa": {"PTR": ["mail.here.test"]},
    "10.2.0.192.bad.list.test": {"A": ["127.0.0.2"]},
    "hook.here.test": {"A": ["127.0.0.1"]},
    "good.list.test": {"NS": ["ns.list.test."]},
}
_STREAMS = {
    "codes": {"kind": "transactional", "senders": ["codes@here.test"], "unknown": "hold"},
    "shop": {"kind": "transactional", "senders": ["shop@here.test"]},
}


class ConsoleSite:
    """A running server. `call` runs something in its event loop."""

    def __init__(self, system: System, loop: asyncio.AbstractEventLoop) -> None:
        self.system = system
        self._loop = loop
        host, port = system.listening["http"][0]
        self.url = f"http://{host}:{port}"

    def call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def held(self) -> int:
        """How many deliveries to slow.test are held."""
        counts = self.call(self.system.desk.counts())
        return int({state.value: n for state, n in counts.items()}["held"])


@contextmanager
def console_site(directory: Path) -> Iterator[ConsoleSite]:
    """Run it in a thread of its own."""
    ready: Future[ConsoleSite] = Future()
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=(directory, ready, stop), daemon=True)
    thread.start()
    site = ready.result(90)
    try:
        _send(site)
        yield site
    finally:
        stop.set()
        thread.join(30)


def _serve(directory: Path, ready: "Future[ConsoleSite]", stop: threading.Event) -> None:
    async def run() -> None:
        config = config_of(
            directory,
            streams=_STREAMS,
            abuse={"dns_block_lists": ["bad.list.test", "good.list.test"]},
            webhooks={"allow_private": True},
            http={"requests_per_second": 1000, "requests_at_once": 2000},
        )
        async with System.open(config, resolver=FakeDns(_RECORDS)) as system:
            await system.domains.add("here.test")
            await system.domains.add("second.test")
            await system.accounts.add(Address.parse(OPERATOR), PASSWORD, operator=True)
            for name in ("bob", "reports", "shop", "codes"):
                await system.accounts.add(Address(name, "here.test"), PASSWORD)
            await system.aliases.add(Address.parse("info@here.test"), [Address.parse(OPERATOR)])
            await system.start()
            ready.set_result(ConsoleSite(system, asyncio.get_running_loop()))
            while not stop.is_set():
                await asyncio.sleep(0.05)

    try:
        asyncio.run(run())
    except BaseException as error:
        if not ready.done():
            ready.set_exception(error)
        raise


def _send(site: ConsoleSite) -> None:
    """Send mail: to people here, to a domain that does not exist, to one that does not answer."""
    office = site.system.office
    token = site.call(office.api_keys.add("shop server", tuple(ApiScope), ()))
    with httpx.Client(
        base_url=site.url, timeout=60, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        for n in range(12):
            _post(client, "shop@here.test", [f"bob+{n}@here.test"], f"Order {n} is on its way")
        _post(client, "codes@here.test", ["bob@here.test"], "Your code")
        for n in range(3):
            _post(client, "shop@here.test", [f"buyer{n}@gone.test"], "Your order")
        for start in range(0, HELD_BACK, 100):
            people = [f"reader{n}@slow.test" for n in range(start, start + 100)]
            _post(client, OPERATOR, people, "News of the week")
        body = {"subject": "Hello {{ name }}", "text": "Hi {{ name }}", "sample": {"name": "Ann"}}
        body["html"] = "<h1>Hello {{ name }}</h1><p>Your order is on its way.</p>"
        client.put("/api/v1/templates/order-shipped", json=body).raise_for_status()
        hook = {"name": "shop", "url": "https://hook.here.test:9/hook"}
        client.post("/api/v1/webhooks", json=hook).raise_for_status()
    site.call(_reports(site.system))
    site.call(_past(site.system))
    deadline = time.monotonic() + 60
    while site.call(office.store.queue.leased_by([office.store.node])):
        assert time.monotonic() < deadline, "the queue does not come to rest"
        time.sleep(0.1)
    keys = [
        (item.message.id, item.delivery.ordinal)
        for item in site.call(office.desk.list(_slow()))[:3]
    ]
    site.call(office.desk.hold(keys, "root"))
    site.call(site.system.figures.write())
    site.system.metrics.live.leave()


def _slow() -> Any:
    from postroad.ports import QueueFilter

    return QueueFilter(destination="slow.test", limit=10_000)


def _post(client: httpx.Client, sender: str, recipients: list[str], subject: str) -> None:
    letter = {"from": sender, "to": recipients, "subject": subject, "text": "Hello."}
    client.post("/api/v1/messages", json=letter).raise_for_status()


async def _past(system: System) -> None:
    """Figures of the day before, as the processes of a busy server had written them."""
    now = system.office.clock.now()
    for step in range(24 * 12, 0, -1):
        at = now - step * 300
        wave = 40 + 30 * ((step // 9) % 5) + (step * 7) % 23
        parts = [0] * (len(LONG_SECONDS) + 1)
        for place, share in ((4, 0.2), (6, 0.5), (8, 0.22), (11, 0.06), (13, 0.02)):
            parts[place] = int(wave * share) + (step % 7 == 0 and place == 13)
        figures = (
            Figure("default", "", wave),
            Figure("default", "google", 0, int(wave * 0.6), int(wave * 0.05), step % 3),
            Figure(
                "default", "outlook", 0, int(wave * 0.25), (step % 40 < 6) * wave // 2, step % 2
            ),
            Figure("shop", "", wave // 3),
            Figure("shop", "local", 0, wave // 3),
        )
        await system.office.store.ledger.commit(Group((FiguresCounted(at, figures, tuple(parts)),)))


async def _reports(system: System) -> None:
    """Mail reports to the account that reads them, as other servers do."""
    to = Address.parse("reports@here.test")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(6, 0, -1):
        begin = today - timedelta(days=day)
        for name, data in (
            (f"dmarc{day}.xml.gz", _dmarc(begin)),
            (f"tls{day}.json.gz", _tls(begin)),
        ):
            message = EmailMessage()
            message["From"] = "noreply@receiver.test"
            message["To"] = str(to)
            message["Subject"] = f"Report {name}"
            message.set_content("A report.")
            kind = "gzip" if "dmarc" in name else "tlsrpt+gzip"
            message.add_attachment(
                gzip.compress(data.encode()), maintype="application", subtype=kind, filename=name
            )
            envelope = Envelope(Address.parse("noreply@receiver.test"), (Recipient(to),))
            octets = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            reply = await system.intake.submit(envelope, octets, Origin(ServerKind.LOCAL))
            assert reply.positive, reply


def _dmarc(begin: datetime) -> str:
    at = int(begin.timestamp())
    good, bad = 200 + at % 91, at // 86_400 % 7 * 4
    rows = "".join(
        f"<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated>"
        f"<disposition>{done}</disposition><dkim>{word}</dkim><spf>{word}</spf></policy_evaluated></row>"
        "<identifiers><header_from>here.test</header_from></identifiers><auth_results><spf>"
        f"<domain>here.test</domain><result>{word}</result></spf></auth_results></record>"
        for ip, count, done, word in (
            ("192.0.2.10", good, "none", "pass"),
            ("198.51.100.7", bad, "quarantine", "fail"),
        )
        if count
    )
    return (
        "<?xml version='1.0'?><feedback><report_metadata><org_name>receiver.test</org_name>"
        f"<email>noreply@receiver.test</email><report_id>{at}</report_id><date_range><begin>{at}</begin>"
        f"<end>{at + 86_399}</end></date_range></report_metadata><policy_published>"
        "<domain>here.test</domain><p>quarantine</p></policy_published>" + rows + "</feedback>"
    )


def _tls(begin: datetime) -> str:
    day, bad = f"{begin:%Y-%m-%d}", begin.day % 3
    failures = (
        f'[{{"result-type":"certificate-expired","failed-session-count":{bad},'
        '"receiving-mx-hostname":"mail.here.test"}]'
        if bad
        else "[]"
    )
    return (
        f'{{"organization-name":"receiver.test","date-range":{{"start-datetime":"{day}T00:00:00Z",'
        f'"end-datetime":"{day}T23:59:59Z"}},"contact-info":"tls@receiver.test","report-id":"{day}",'
        '"policies":[{"policy":{"policy-type":"sts","policy-domain":"here.test"},"summary":'
        f'{{"total-successful-session-count":{80 + begin.day},"total-failure-session-count":{bad}}},'
        f'"failure-details":{failures}}}]}}'
    )


def wait_for(condition: Any, seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        with contextlib.suppress(TimeoutError):
            time.sleep(0.05)
