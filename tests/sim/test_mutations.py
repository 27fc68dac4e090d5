"""The simulator can fail: it finds each of these planted bugs, and says after how many seeds.

Each bug is one that somebody could write. What is found must be the promise that the bug breaks, not an
accident beside it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Attempted,
    DeliveryState,
    Deposited,
    Group,
    Leased,
    LeasedDelivery,
    Reply,
    Result,
    TemporaryFailure,
    Unknown,
)
from postroad.policy import ACCEPT, Check, Policy, Verdict
from postroad.policy.stages import Stage
from postroad.ports import Attempt, Conflict, StorageError
from postroad.queue import QueueSettings, UnknownPolicy, leaser, outcome, reporter, worker
from postroad.queue.inventory import Inventory, Job
from postroad.queue.outcome import Judgement
from postroad.queue.queue import Queue
from postroad.queue.recorder import Entry, Recorder
from postroad.queue.reporter import Reporter
from postroad.queue.worker import Workers
from postroad.servers.pop3 import POP3Connection
from postroad.service.intake import Incoming
from postroad.storage.memory import apply
from postroad.storage.memory.ports import MemoryQueue
from tests.sim import disk
from tests.sim.simulate import simulate

Plant = Callable[[pytest.MonkeyPatch], None]
MOST_SEEDS = 100


def acknowledge_before_commit(patch: pytest.MonkeyPatch) -> None:
    real = Queue.accept

    async def accept(self: Queue, *given: Any) -> None:
        async def quietly() -> None:
            try:
                await real(self, *given)
            except StorageError:
                return

        task = asyncio.get_running_loop().create_task(quietly())
        patch.setattr(self, "_planted", task, raising=False)

    patch.setattr(Queue, "accept", accept)


def acknowledge_a_failed_commit(patch: pytest.MonkeyPatch) -> None:
    real = Incoming.finish

    async def finish(self: Incoming, **given: Any) -> Reply:
        reply = await real(self, **given)
        return Reply(250, "2.0.0", "Ok: queued as 0000000000000") if reply.code == 451 else reply

    patch.setattr(Incoming, "finish", finish)


def forget_the_lease(patch: pytest.MonkeyPatch) -> None:
    """A restart does not free what was leased, and no lease runs out."""
    forever = float("inf")

    async def leased_by(self: MemoryQueue, nodes: Any) -> list[Any]:
        return []

    real_apply, real_lease = disk.Disk.apply, MemoryQueue.lease

    def endless(change: Any) -> Any:
        return replace(change, until=forever) if isinstance(change, Accepted | Leased) else change

    def apply_group(self: disk.Disk, group: Group, files: dict[int, bytes]) -> None:
        changes = tuple(endless(change) for change in group.changes)
        real_apply(self, Group(changes, group.contents), files)

    async def lease(self: MemoryQueue, **given: Any) -> list[LeasedDelivery]:
        return await real_lease(self, **{**given, "until": forever})

    patch.setattr(MemoryQueue, "leased_by", leased_by)
    patch.setattr(MemoryQueue, "lease", lease)
    patch.setattr(disk.Disk, "apply", apply_group)


def lease_twice(patch: pytest.MonkeyPatch) -> None:
    """Two workers get the same, and nobody knows that it is here already."""
    real = MemoryQueue.lease

    async def lease(self: MemoryQueue, **given: Any) -> list[LeasedDelivery]:
        return 2 * await real(self, **given)

    def add(self: Inventory, leased: LeasedDelivery, until: float) -> Job:
        job = Job(leased, until)
        for each in leased.deliveries:
            self._jobs[leased.message.id, each.ordinal] = job
        return job

    def take(self: Inventory, job: Job, now: float) -> bool:
        job.flying = True
        return True

    patch.setattr(MemoryQueue, "lease", lease)
    patch.setattr(Inventory, "add", add)
    patch.setattr(Inventory, "take", take)


def hold_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A stream that says `hold` is tried again after an unknown outcome."""
    patch.setattr(QueueSettings, "unknown_of", lambda self, stream: UnknownPolicy.RETRY)


def cut_off_ignores_hold(patch: pytest.MonkeyPatch) -> None:
    """A stop cuts an attempt off: what may have arrived is tried again, whatever the stream says."""
    patch.setattr(reporter, "holds", lambda *_: False)


def refused_content_is_removed(patch: pytest.MonkeyPatch) -> None:
    """A message whose commit failed loses its file, though the commit may have happened."""
    real = Incoming.discard

    def discard(self: Incoming) -> None:
        self._handed_over = False
        real(self)

    patch.setattr(Incoming, "discard", discard)


def take_over_silently(patch: pytest.MonkeyPatch) -> None:
    """Another node goes on with what a dead one had in hand, as if that had never begun."""
    patch.setattr(leaser, "taken_over", lambda *_: None)


def turn_not_given(patch: pytest.MonkeyPatch) -> None:
    """Destinations that wait for a session wait on when one is free."""
    patch.setattr(Workers, "_next", lambda self, destination: None)


def stop_forgets_what_is_in_flight(patch: pytest.MonkeyPatch) -> None:
    """A stop cuts an attempt off, and gives its delivery back as if it had not begun."""

    def cut_off(self: Workers, destination: Any, jobs: Sequence[Job], started_at: float) -> None:
        for job in jobs:
            job.flying = False

    patch.setattr(Workers, "_cut_off", cut_off)


def stop_calls_it_a_failure(patch: pytest.MonkeyPatch) -> None:
    """A stop cuts an attempt off, and says that it failed."""
    patch.setattr(worker, "Unknown", TemporaryFailure)


def _judged(patch: pytest.MonkeyPatch, change: Callable[[Result], Result]) -> None:
    real = outcome._judge_one

    def judge_one(*given: Any) -> Any:
        result, notice = real(*given)
        return change(result), notice

    patch.setattr(outcome, "_judge_one", judge_one)


def drop_on_unknown(patch: pytest.MonkeyPatch) -> None:
    def change(result: Result) -> Result:
        if isinstance(result.outcome, Unknown):
            return replace(result, state=DeliveryState.DROPPED, due_at=0.0)
        return result

    _judged(patch, change)


def unknown_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """Tried again as after any failure, but the journey does not say why there are two."""

    def change(result: Result) -> Result:
        if isinstance(result.outcome, Unknown):
            return replace(result, outcome=TemporaryFailure(result.outcome.reply))
        return result

    _judged(patch, change)


def unknown_is_delivered(patch: pytest.MonkeyPatch) -> None:
    def change(result: Result) -> Result:
        if isinstance(result.outcome, Unknown):
            return replace(result, state=DeliveryState.DELIVERED, due_at=0.0)
        return result

    _judged(patch, change)


def outcome_without_report(patch: pytest.MonkeyPatch) -> None:
    """The report is made after the outcome is stored: a crash in between, and nobody is told."""
    real = Reporter._with_reports

    async def with_reports(self: Reporter, job: Job, attempt: Attempt, judgement: Judgement) -> Any:
        entry = await real(self, job, attempt, judgement)
        births = [change for change in entry.changes if isinstance(change, Accepted)]
        rest = tuple(change for change in entry.changes if not isinstance(change, Accepted))
        ledger, contents = self._recorder._ledger, entry.contents

        async def later() -> None:
            await asyncio.sleep(0.05)
            try:
                await ledger.commit(Group(tuple(births), contents))
            except StorageError:
                return
            for birth in entry.births:
                self._admission.born(birth)

        if births:
            task = asyncio.get_running_loop().create_task(later())
            patch.setattr(self, "_planted", task, raising=False)
        return Entry(entry.job, entry.attempt, rest)

    patch.setattr(Reporter, "_with_reports", with_reports)


def deposit_apart_from_outcome(patch: pytest.MonkeyPatch) -> None:
    """First the deposits, then the outcomes: a crash in between, and there are two copies."""
    real = Recorder._commit

    async def commit(self: Recorder, entries: list[Entry]) -> Exception | None:
        first = [c for entry in entries for c in entry.changes if isinstance(c, Deposited)]
        if first:
            try:
                await self._ledger.commit(Group(tuple(first)))
            except Conflict:
                pass
            except StorageError as error:
                return error
            await asyncio.sleep(0.001)
            for entry in entries:
                entry.changes = tuple(c for c in entry.changes if not isinstance(c, Deposited))
        return await real(self, entries)

    patch.setattr(Recorder, "_commit", commit)


def open_when_a_check_fails(patch: pytest.MonkeyPatch) -> None:
    async def ask_one(self: Policy, each: Check, stage: Stage, loop: Any) -> Verdict:
        try:
            return await asyncio.wait_for(each.function(stage), 1.0)
        except Exception:
            return ACCEPT

    patch.setattr(Policy, "_ask_one", ask_one)


def report_to_the_null_sender(patch: pytest.MonkeyPatch) -> None:
    """Mail with the null sender is reported on, to whom it was meant for."""

    def with_sender(leased: LeasedDelivery) -> LeasedDelivery:
        message = leased.message
        if message.envelope.sender is not None or message.about is not None:
            return leased
        envelope = replace(message.envelope, sender=leased.deliveries[0].original)
        return replace(leased, message=replace(message, envelope=envelope))

    real_judge, real_bounces = outcome.judge, Reporter._bounces

    def judge(leased: LeasedDelivery, *given: Any) -> Judgement:
        return real_judge(with_sender(leased), *given)

    async def bounces(self: Reporter, leased: LeasedDelivery, *given: Any) -> Any:
        return await real_bounces(self, with_sender(leased), *given)

    patch.setattr(reporter, "judge", judge)
    patch.setattr(Reporter, "_bounces", bounces)


def journey_forgets_attempts_that_failed(patch: pytest.MonkeyPatch) -> None:
    real = apply._APPLY[Attempted]

    def attempted(do: apply.Application, change: Attempted) -> None:
        if all(isinstance(each.outcome, TemporaryFailure) for each in change.results):
            patch.setattr(do, "note", lambda *_: None)
        real(do, change)

    patch.setitem(apply._APPLY, Attempted, attempted)


def other_octets(patch: pytest.MonkeyPatch) -> None:
    """Dots at the begin of lines become commas."""
    real = disk._Contents.read

    async def read(self: Any, *given: Any) -> bytes:
        return (await real(self, *given)).replace(b"\r\n.", b"\r\n,")

    patch.setattr(disk._Contents, "read", read)


def deaf_to_a_slow_reader(patch: pytest.MonkeyPatch) -> None:
    """Whatever a client asks for is written at once, though it reads nothing."""
    patch.setattr(POP3Connection, "pause_writing", lambda self: None)


def delete_without_quit(patch: pytest.MonkeyPatch) -> None:
    """Messages marked in a POP3 session that broke off are deleted all the same."""
    real = POP3Connection.lost

    def lost(self: POP3Connection) -> None:
        maildrop = self._maildrop
        table = self.machine._table
        if maildrop is not None and table is not None and maildrop._open:
            self._loop.create_task(maildrop.commit(list(table.deleted())))
        real(self)

    patch.setattr(POP3Connection, "lost", lost)


# What only trouble of one kind can show is looked for in seeds that lean to it.
LEANINGS: dict[Plant, str] = {
    stop_forgets_what_is_in_flight: "stops",
    stop_calls_it_a_failure: "stops",
    refused_content_is_removed: "syncs",
}
PLANTED: Sequence[tuple[Plant, str]] = [
    (acknowledge_before_commit, "promise 1"),
    (acknowledge_a_failed_commit, "promise 1"),
    (forget_the_lease, "promise 2"),
    (lease_twice, "promise 3"),
    (drop_on_unknown, "promise 2"),
    (unknown_is_a_failure, "promise 3"),
    (unknown_is_delivered, "promise "),
    (take_over_silently, "promise 3"),
    (turn_not_given, "promise 2"),
    (stop_forgets_what_is_in_flight, "promise 3"),
    (stop_calls_it_a_failure, "promise 3"),
    (hold_is_forgotten, "promise 3"),
    (cut_off_ignores_hold, "promise 3"),
    (refused_content_is_removed, "promise 1"),
    (outcome_without_report, "promise 2"),
    (deposit_apart_from_outcome, "promise 3"),
    (other_octets, "promise 4"),
    (deaf_to_a_slow_reader, "promise 5"),
    (open_when_a_check_fails, "promise 6"),
    (delete_without_quit, "promise 1"),
    (report_to_the_null_sender, "promise 2"),
    (journey_forgets_attempts_that_failed, "promise 7"),
]


@pytest.mark.parametrize("leaning", ["stops", "syncs"])
def test_nothing_is_found_where_nothing_is_planted(leaning: str) -> None:
    problems = [
        problem for seed in range(1, 21) for problem in simulate(seed, leaning=leaning).problems
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("plant", "promise"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED]
)
def test_the_simulator_finds(
    plant: Plant, promise: str, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    plant(monkeypatch)
    for seed in range(1, MOST_SEEDS + 1):
        problems = [
            text
            for text in simulate(seed, leaning=LEANINGS.get(plant, "")).problems
            if text.startswith(promise)
        ]
        if problems:
            record_property("seeds", seed)
            print(f"{plant.__name__}: found by seed {seed}: {problems[0]}")
            return
    pytest.fail(f"not found within {MOST_SEEDS} seeds")
