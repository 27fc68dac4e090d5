"""What a reload changes: each setting is in force after it, or it is said that it is not."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from postroad.lab.ca import Authority
from postroad.model import Address
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.config.describe import reference
from postroad.runtime.config.values import Section
from postroad.runtime.in_force import NEEDS_RESTART, needing_restart
from tests.fake_dns import FakeDns

ELSEWHERE = {"log"}
"""Sections that the process brings into force itself, see `runtime.lifecycle`."""


def values(tmp_path: Path) -> dict[str, Any]:
    files = Authority(tmp_path).issue("mx.us.test")
    return {
        "server": {"hostname": "mx.us.test", "data_dir": str(tmp_path / "data")},
        "listen": {"mx": ["127.0.0.1:0"], "submission": [], "submissions": [], "local": ""}
        | {name: [] for name in ("pop3", "pop3s")},
        "tls": {"certificate": str(files.certificate), "key": str(files.key)},
        "dmarc_reports": {"contact": "dmarc@us.test"},
        "tls_reports": {"contact": "tls@us.test"},
        "streams": {"bulk": {"senders": ["news@us.test"]}},
        "mta_sts": {"mode": "testing", "mx": ["mx.us.test"]},
        "abuse": {
            "helo": "reject",
            "reverse_dns": "note",
            "dns_block_lists": ["bl.test"],
            "greylist": True,
            "standing": "quarantine",
            "rspamd": "127.0.0.1:1",
            "clamav": "127.0.0.1:1",
        },
    }


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The settings that are read while this lasts, as ``section.key``."""
    read: set[str] = set()
    sections = {field.annotation: name for name, field in Config.model_fields.items()}
    plain = Section.__getattribute__

    def noting(self: Section, name: str) -> Any:
        if name in type(self).model_fields:
            if type(self) is Config:
                read.add(name)
            elif type(self) in sections:
                read.add(f"{sections[type(self)]}.{name}")
        return plain(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Section, "__getattribute__", noting, raising=False)
        yield read


async def test_each_setting_is_read_anew_or_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.model_validate(values(tmp_path))
    with watched(monkeypatch) as at_start:
        opened = System.open(config)
        system = await opened.__aenter__()
        await system.start()
        await asyncio.sleep(0)
    try:
        with watched(monkeypatch) as at_reload:
            await system.reload(Config.model_validate(values(tmp_path)))
            await asyncio.sleep(0)
    finally:
        await opened.__aexit__(None, None, None)
    warned = set(NEEDS_RESTART)
    stale = {
        name
        for name in at_start - at_reload
        if name not in warned and name.partition(".")[0] not in warned
    }
    assert stale == set(), "neither made anew by a reload, nor in NEEDS_RESTART"
    known = {name.partition(".")[0] for name in at_reload | warned}
    assert set(Config.model_fields) - known - ELSEWHERE == set()
    assert all(name.partition(".")[0] in Config.model_fields for name in warned)


def test_the_reference_names_what_needs_a_restart() -> None:
    (named,) = re.findall(
        r"for new connections; (.*?)\s+need\s+a\s+restart", reference(), re.DOTALL
    )
    assert tuple(re.findall(r"`([^`]*)`", named)) == NEEDS_RESTART


def test_what_needs_a_restart_is_told(tmp_path: Path) -> None:
    told = values(tmp_path)
    before = Config.model_validate(told)
    assert needing_restart(before, Config.model_validate(told)) == []
    told["pop3"] = {"login_delay_seconds": 5}
    told["trust"] = {"key_wait_seconds": 60, "sign": False}
    told["forwarding"] = {"quarantined": "forward"}
    assert needing_restart(before, Config.model_validate(told)) == [
        "pop3",
        "trust.key_wait_seconds",
    ]


async def test_signing_checking_and_reports_are_turned_on_by_a_reload(tmp_path: Path) -> None:
    told = values(tmp_path)
    off = told | {"trust": {"sign": False, "verify": False}, "dmarc_reports": {}, "tls_reports": {}}
    message = b"From: postmaster@us.test\r\nSubject: report\r\n\r\nx\r\n"
    config = Config.model_validate(off)
    async with System.open(config, resolver=FakeDns({})) as system:
        await system.domains.add("us.test")
        await system.office.keys.add("us.test", sign_now=True)
        await system.start()
        assert await system._sign_own(message) == b""
        assert not {"keys", "dmarc reports", "tls reports"} & set(system._chores.running)
        assert "dmarc" not in {check.name for check in system.intake.policy.checks}
        assert system.intake.signing is None
        queue = system._chores.running["queue"]
        structlog.reset_defaults()  # what ran before may have left a filter
        with structlog.testing.capture_logs() as logs:
            await system.reload(Config.model_validate(told))
        assert not [each for each in logs if "restart" in each["event"]]
        assert (await system._sign_own(message)).startswith(b"DKIM-Signature")
        assert {"keys", "dmarc reports", "tls reports"} <= set(system._chores.running)
        assert "dmarc" in {check.name for check in system.intake.policy.checks}
        assert system.intake.signing is not None
        # What did not change goes on, with what it knows.
        reports = system.dmarc_reports, system.tls_reports
        assert None not in reports
        await system.reload(Config.model_validate(told | {"limits": {"check_seconds": 5}}))
        assert (system.dmarc_reports, system.tls_reports) == reports
        assert system._chores.running["queue"] is queue
        await system.reload(
            Config.model_validate(told | {"dmarc_reports": {"contact": "a@us.test"}})
        )
        assert system.dmarc_reports is not None
        assert system.dmarc_reports.settings.contact == Address("a", "us.test")
        assert system.tls_reports is reports[1]
        structlog.reset_defaults()
        with structlog.testing.capture_logs() as logs:
            await system.reload(Config.model_validate(off | {"pop3": {"login_delay_seconds": 5}}))
        assert [each["settings"] for each in logs if "restart" in each["event"]] == [["pop3"]]
        assert not {"keys", "dmarc reports", "tls reports"} & set(system._chores.running)
        assert await system._sign_own(message) == b""


async def test_what_outlives_a_reload_asks_the_name_servers_of_now(tmp_path: Path) -> None:
    told = values(tmp_path)
    async with System.open(Config.model_validate(told)) as system:
        ways = system._maker.ways
        for _ in range(2):
            await system.reload(Config.model_validate(told))
            assert ways._resolver is system._in_force.resolver
            assert ways._network is system._in_force.network
