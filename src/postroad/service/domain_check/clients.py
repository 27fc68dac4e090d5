"""What lets mail clients set themselves up: SRV records (RFC 6186, RFC 8314 §5.1)."""

from postroad.ports import AnswerStatus, Resolver
from postroad.service.domain_check.finding import Finding, Level, Record
from postroad.service.domain_check.hosts import no_answer
from postroad.service.domain_check.setup import Setup, client_records

_WHY = "Mail clients ask for it when somebody adds an account; without it people type in servers."


async def check_clients(domain: str, setup: Setup, resolver: Resolver) -> list[Finding]:
    """One finding for what is right, and one for each record that is not."""
    right: list[str] = []
    findings: list[Finding] = []
    missing: list[Record] = []
    for record in client_records(domain, setup):
        label = record.name.removesuffix(f".{domain}")
        answer = await resolver.lookup(record.name, "SRV")
        if answer.status is AnswerStatus.FAILED:
            findings.append(no_answer("SRV", answer))
            continue
        found = [_target(text) for text in answer.records]
        offered = not record.data.endswith(" .")
        wanted = _target(record.data)
        if wanted in found:
            right.append(label)
        elif found:
            text = f"{label} leads to {', '.join(map(_shown, found))}, not to {_shown(wanted)}"
            findings.append(Finding("SRV", Level.WARNING, text, _WHY, (record,)))
        elif offered:
            missing.append(record)
    if missing:
        names = ", ".join(record.name.removesuffix(f".{domain}") for record in missing)
        text = f"clients are not told of {names}"
        findings.append(Finding("SRV", Level.WARNING, text, _WHY, tuple(missing)))
    if right:
        text = f"clients are told the truth about {', '.join(right)}"
        findings.insert(0, Finding("SRV", Level.OK, text))
    return findings


def _target(data: str) -> tuple[int, str]:
    """Port and host of a record; what cannot be read leads nowhere."""
    words = data.split()
    if len(words) != 4 or not words[2].isdigit():
        return 0, data[:80]
    host = words[3].removesuffix(".").lower()
    return (int(words[2]), host) if host else (0, "")


def _shown(target: tuple[int, str]) -> str:
    return f"{target[1]}:{target[0]}" if target[1] else "nowhere"
