"""The backend for Django, against a running server."""

import asyncio
from pathlib import Path

import pytest
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.test.utils import override_settings

from postroad.client import InvalidRequest
from tests.unit.web.site import running

if not settings.configured:
    settings.configure(DEFAULT_FROM_EMAIL="ann@here.test")

from postroad.client.django import EmailBackend


async def test_messages_are_sent_with_hidden_recipients_and_once_for_a_key(tmp_path: Path) -> None:
    async with running(tmp_path) as site:

        def mail(subject: str, to: str = "Bob <bob@here.test>") -> EmailMultiAlternatives:
            made = EmailMultiAlternatives(
                subject,
                "Grüße\n.\nEnde",
                "Ann <ann@here.test>",
                [to],
                bcc=["ann@here.test"],
                headers={"Idempotency-Key": f"key-{subject}"},
            )
            made.attach_alternative("<p>Grüße</p>", "text/html")
            made.attach("a.bin", b"\0\r\n\xff", "application/octet-stream")
            made.extra_headers["Message-ID"] = f"<{subject}@here.test>"
            made.extra_headers["Date"] = "Wed, 25 Nov 2026 15:00:00 +0000"
            return made

        def run() -> tuple[int, int, int]:
            with override_settings(POSTROAD_URL=site.url, POSTROAD_API_KEY=site.token):
                nobody = EmailMultiAlternatives("none", "Hi", "ann@here.test", [])
                sent = EmailBackend().send_messages([mail("one"), nobody, mail("two")])
                with pytest.raises(InvalidRequest) as wrong:
                    EmailBackend().send_messages([mail("bad", "nobody@here.test@here.test")])
                assert wrong.value.fields
                quiet = EmailBackend(fail_silently=True).send_messages(
                    [mail("bad", "bob@-.test"), mail("three")]
                )
                with EmailBackend() as backend:
                    return sent, quiet, backend.send_messages([mail("four")])

        assert await asyncio.to_thread(run) == (2, 1, 1)
        found = (await site.client.get("/api/v1/messages")).json()["messages"]
        assert [each["subject"] for each in found] == ["four", "three", "two", "one"]
        assert {each["recipient"] for each in found[0]["deliveries"]} == {
            "bob@here.test",
            "ann@here.test",
        }
