"""`ports.SecurityStore`, and what changes it inside the writer's open transaction."""

from typing import Any

import msgspec

from postroad.model import StsPolicy, StsPolicyKept, TlsCounted, TlsReported, TlsResult
from postroad.storage.bounds import TLS_RESULTS_PER_DAY
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode
_decode_policy = msgspec.json.Decoder(StsPolicy).decode
_decode_result = msgspec.json.Decoder(TlsResult).decode


class SqlSecurity:
    """Reads. See `ports.SecurityStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sts_policy(self, domain: str) -> StsPolicy | None:
        """Return the policy kept for a domain."""
        rows = self._database.read(SQL["sts_policy_get"], (domain,))
        return _decode_policy(rows[0][0]) if rows else None

    async def tls_days(self, before: str, limit: int = 100) -> list[tuple[str, str]]:
        """Return (day, domain) of which there are results."""
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["tls_result_days"], (before, limit)).fetchall()
        )
        return [(day, domain) for day, domain in rows]

    async def tls_results(self, day: str, domain: str) -> list[tuple[TlsResult, int]]:
        """Return the results of a domain's day."""
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["tls_result_get"], (day, domain)).fetchall()
        )
        return [(_decode_result(result), count) for result, count in rows]


def _policy_kept(connection: Connection, change: StsPolicyKept) -> None:
    policy = change.policy
    connection.execute(SQL["sts_policy_expire"], (change.at,))
    row = (policy.domain, policy.expires_at, _encode(policy).decode())
    connection.execute(SQL["sts_policy_put"], row)


def _counted(connection: Connection, change: TlsCounted) -> None:
    for result in change.results:
        row = (change.day, result.domain, _encode(result).decode())
        connection.execute(SQL["tls_result_again"], row)
        if not connection.changes():
            connection.execute(SQL["tls_result_first"], (*row, TLS_RESULTS_PER_DAY))


def _reported(connection: Connection, change: TlsReported) -> None:
    connection.execute(SQL["tls_result_delete"], (change.day, change.domain))


APPLY: dict[type, Any] = {
    StsPolicyKept: _policy_kept,
    TlsCounted: _counted,
    TlsReported: _reported,
}
