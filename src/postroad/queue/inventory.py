"""The deliveries that this process holds leases on, in memory: what waits here and what is in flight.

A delivery is here once at most, so a lease that ran out (or was taken twice) cannot make this process
deliver it twice.
"""

from collections.abc import Iterable

from postroad.model import LeasedDelivery

Key = tuple[int, int]


class Job:
    """Some deliveries of one message to one destination, with their lease."""

    __slots__ = ("flying", "leased", "marked", "until")

    def __init__(self, leased: LeasedDelivery, until: float) -> None:
        self.leased = leased
        self.until = until
        self.flying = False
        self.marked = False  # in the store, as in flight


class Inventory:
    """All jobs of the process, by the keys of their deliveries. `size` counts deliveries."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._jobs: dict[Key, Job] = {}

    @property
    def size(self) -> int:
        """How many deliveries are held."""
        return len(self._jobs)

    @property
    def free(self) -> int:
        """How many more there is room for."""
        return self.limit - len(self._jobs)

    def add(self, leased: LeasedDelivery, until: float) -> Job | None:
        """Take deliveries in; those that are here already only get the newer lease.

        Returns None where nothing was new.
        """
        jobs = self._jobs
        message = leased.message.id
        known = [job for each in leased.deliveries if (job := jobs.get((message, each.ordinal)))]
        if known:
            for job in known:
                job.until = max(job.until, until)
            fresh = tuple(each for each in leased.deliveries if (message, each.ordinal) not in jobs)
            if not fresh:
                return None
            leased = LeasedDelivery(leased.message, fresh)
        job = Job(leased, until)
        for each in leased.deliveries:
            jobs[message, each.ordinal] = job
        return job

    def holds(self, leased: LeasedDelivery) -> bool:
        """Whether any of them is here."""
        return any((leased.message.id, each.ordinal) in self._jobs for each in leased.deliveries)

    def take(self, job: Job, now: float) -> bool:
        """Begin to attempt a job: leave out what was withdrawn meanwhile; False where nothing is left,
        or its lease has run out.
        """
        message = job.leased.message.id
        deliveries = job.leased.deliveries
        jobs = self._jobs
        if job.until <= now:
            self.forget(job)
            return False
        mine = tuple(each for each in deliveries if jobs.get((message, each.ordinal)) is job)
        if len(mine) != len(deliveries):
            job.leased = LeasedDelivery(job.leased.message, mine)
        job.flying = bool(mine)
        return job.flying

    def forget(self, job: Job) -> None:
        """The job's deliveries are no longer ours."""
        message = job.leased.message.id
        jobs = self._jobs
        for each in job.leased.deliveries:
            key = (message, each.ordinal)
            if jobs.get(key) is job:
                del jobs[key]

    def withdraw(self, keys: Iterable[Key]) -> None:
        """An operator took these away. One in flight stays until its attempt has ended."""
        for key in keys:
            job = self._jobs.get(key)
            if job is not None and not job.flying:
                del self._jobs[key]

    def renewable(self, before: float, *, marked: bool) -> list[Key]:
        """Return the keys whose lease runs out before that: of jobs marked in flight, or of others."""
        return [
            key for key, job in self._jobs.items() if job.until < before and job.marked is marked
        ]

    def renew(self, keys: Iterable[Key], until: float) -> None:
        """These have a newer lease."""
        for key in keys:
            job = self._jobs.get(key)
            if job is not None:
                job.until = until

    def waiting(self) -> list[Key]:
        """Return the keys of all that is not in flight."""
        return [key for key, job in self._jobs.items() if not job.flying]

    def clear(self) -> None:
        """Forget everything, at the end."""
        self._jobs.clear()
