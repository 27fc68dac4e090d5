"""From the names in the configuration to the checks that are asked."""

from collections.abc import Iterable

from msgspec.structs import replace

from postroad.policy import Check, Policy
from postroad.policy.checks.dmarc import Observer, recognise_author
from postroad.policy.checks.loops import too_many_hops
from postroad.policy.checks.results import write_results
from postroad.policy.checks.signatures import recognise_sealers, recognise_signers
from postroad.policy.checks.spf import recognise_client
from postroad.ports import Clock, Entropy, Resolver
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.guards import Guards
from postroad.runtime.house import ImportFailed, house_modules, import_module


class ChecksInvalid(ValueError):
    """Checks that cannot be used; `problems` has a line for each, with key, value and reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def make_policy(
    config: Config,
    clock: Clock,
    entropy: Entropy,
    resolver: Resolver,
    guards: Guards,
    observer: Observer | None = None,
) -> Policy:
    """Return the checks that the configuration asks for.

    Raises `ChecksInvalid`.
    """
    problems: list[str] = []
    own = load_checks(config, problems)
    checks = [*guards.early(config, resolver), too_many_hops(config.limits.max_hops)]
    own = [*guards.late(config), *own, *guards.last(config)]
    if config.trust.verify:
        recognition = settings.recognition(config)
        checks += [
            recognise_client(recognition, resolver, clock),
            recognise_signers(recognition, resolver, clock),
            recognise_sealers(recognition, resolver),
            recognise_author(
                recognition, resolver, entropy, observer, dry_run="dmarc" in config.policy.dry_run
            ),
            *own,
            write_results(recognition),
        ]
    else:
        checks += own
    problems += _names_problems(config, checks)
    if problems:
        raise ChecksInvalid(problems)
    return Policy(
        checks,
        deadline_seconds=config.limits.check_seconds,
        dry_run=config.policy.dry_run,
        now=clock.now,
        monotonic=clock.monotonic,
    )


def load_checks(config: Config, problems: list[str]) -> list[Check]:
    """Import the checks that an operator wrote; what is wrong goes to `problems`."""
    path = config.policy.path
    if path is not None and not path.is_dir():
        problems.append(f"policy.path = {str(path)!r}: there is no such directory")
        path = None
    found: list[Check] = []
    wrong: list[str] = []
    try:
        with house_modules(path):
            for reference in config.policy.checks:
                _load(reference, found, wrong)
            if wrong:
                raise ChecksInvalid(wrong)
    except ChecksInvalid as error:
        problems += error.problems
    return found


def _load(reference: str, found: list[Check], problems: list[str]) -> None:
    where = f"policy.checks = {reference!r}"
    module_name, _, name = reference.partition(":")
    try:
        module = import_module(module_name)
    except ImportFailed as error:
        problems.append(f"{where}: {module_name} cannot be imported: {error}")
        return
    value = getattr(module, name, None)
    if value is None:
        problems.append(f"{where}: {module.__file__} has no {name}")
    elif not isinstance(value, Check):
        problems.append(
            f"{where}: {name} is no check; it lacks the decorator @postroad.policy.check(stage=...)"
        )
    else:
        found.append(replace(value, foreign=True))


def _names_problems(config: Config, checks: Iterable[Check]) -> list[str]:
    problems = []
    names: set[str] = set()
    for each in checks:
        if each.name in names:
            problems.append(f"policy.checks: there are two checks named {each.name!r}")
        names.add(each.name)
    problems += [
        f"policy.dry_run = {name!r}: there is no check of that name; there are "
        f"{', '.join(sorted(names))}"
        for name in config.policy.dry_run
        if name not in names
    ]
    return problems
