"""Every metric by name: its kind, labels and meaning. Dashboard, alerts and docs are checked against it.

No label grows with the mail: streams are configured, of providers the first hundred are told apart, the
others are few words.
"""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from msgspec import Struct

from postroad.model.tally import LONG_SECONDS, SECONDS, SIZES


class Kind(Enum):
    """As OpenMetrics has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Family(Struct, frozen=True):
    """One metric. `shared`: every process of a server has the same value, so it is told once."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    shared: bool = False


_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

FAMILIES: Mapping[str, Family] = {
    "postroad_build": Family(Kind.INFO, "The version that runs.", ("version",), shared=True),
    "postroad_process_start_time_seconds": Family(
        _G, "When each process began, in seconds since 1970.", ("worker",)
    ),
    "postroad_messages_accepted": Family(
        _C, "Messages accepted, by stream, copies one by one.", ("stream",)
    ),
    "postroad_delivery_outcomes": Family(
        _C,
        "What attempts came to, for each recipient: delivered, deferred, bounced or unknown.",
        ("stream", "provider", "outcome"),
    ),
    "postroad_delivery_seconds": Family(
        _H, "From acceptance to delivery, each message and destination.", (), LONG_SECONDS
    ),
    "postroad_delivery_attempt_seconds": Family(
        _H, "How long attempts took; of those made together one is counted.", (), LONG_SECONDS
    ),
    "postroad_delivery_put_off": Family(
        _C, "Deliveries that had to wait because the caps of their source addresses were reached."
    ),
    "postroad_delivery_slowed": Family(_C, "Replies that asked us to slow down (421, 4.7.x)."),
    "postroad_delivery_links": Family(
        _C, "Connections to other servers: verified, encrypted or clear.", ("tls",)
    ),
    "postroad_delivery_link_failures": Family(
        _C, "Times that no host of a destination could be reached."
    ),
    "postroad_delivery_source_blocks": Family(
        _C, "Times that a provider refused one of our source addresses as such."
    ),
    "postroad_queue_deliveries": Family(
        _G, "Deliveries that wait in the store: due, leased or held.", ("state",), shared=True
    ),
    "postroad_queue_in_memory": Family(_G, "Deliveries that processes have in hand."),
    "postroad_queue_unrecorded": Family(_G, "Attempts whose outcome is not stored yet."),
    "postroad_queue_destinations": Family(_G, "Destinations that processes know."),
    "postroad_queue_destinations_left_alone": Family(
        _G, "Destinations left alone for a while because they cannot be reached."
    ),
    "postroad_queue_sessions": Family(
        _G, "Connections to other servers that work, and that rest.", ("state",)
    ),
    "postroad_store_commit_groups": Family(_H, "Groups of changes in each commit.", (), SIZES),
    "postroad_store_commit_seconds": Family(
        _H, "How long each commit took, to stable storage.", (), SECONDS
    ),
    "postroad_server_connections": Family(_G, "Open connections, by service.", ("service",)),
    "postroad_server_connections_admitted": Family(
        _C, "Connections taken in, by service.", ("service",)
    ),
    "postroad_server_connections_refused": Family(
        _C, "Connections refused over a limit, by service.", ("service",)
    ),
    "postroad_server_connections_secured": Family(
        _C, "Connections of clients that use TLS, by service.", ("service",)
    ),
    "postroad_dns_lookups": Family(
        _C, "Questions to name servers, by answer: found, no-name, no-data, failed.", ("answer",)
    ),
    "postroad_dns_seconds": Family(_H, "How long name servers took.", (), SECONDS),
}


def names() -> frozenset[str]:
    """Return the names that samples have, as a query may use them."""
    found = set()
    for name, family in FAMILIES.items():
        match family.kind:
            case Kind.COUNTER:
                found.add(f"{name}_total")
            case Kind.INFO:
                found.add(f"{name}_info")
            case Kind.HISTOGRAM:
                found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
            case Kind.GAUGE:
                found.add(name)
    return frozenset(found)


def reference() -> str:
    """Return docs/reference/monitoring/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "<!-- Written by `python -m postroad.runtime.metrics.families`; a test compares. -->",
        "",
        "What `listen.metrics` tells (OpenMetrics), all worker processes of a server together.",
        "Histograms have `_bucket`, `_sum` and `_count`. No label holds addresses or domains of people:",
        "streams are those of the configuration, of providers the first hundred are told apart.",
        "",
        "| metric | kind | labels | |",
        "|---|---|---|---|",
    ]
    for name, family in FAMILIES.items():
        ending = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(family.kind, "")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{name}{ending}` | {family.kind.value} | {labels} | {family.help} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    Path("docs/reference/monitoring/metrics.md").write_text(reference(), encoding="utf-8")
