"""`ports.Moments`: of one process in a dictionary, of several in memory that they share.

The supervisor maps the memory before it forks the workers. It is a table of buckets with a few slots
each, found by a keyed hash, so that nobody can choose keys that push out others. Buckets are locked
one at a time by record locks, which end with the process that holds them: a worker that is killed
leaves nothing locked. One that is stopped in the midst of a change is not waited for long: a count
that may be one too low is better than a server that stands still.
"""

import fcntl
import hashlib
import mmap
import os
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_KEYS_PER_SPACE = 100_000

_BUCKETS = 65_536
_SLOTS = 8
_SLOT = struct.Struct("<16sd")  # the key's hash; the moment
_MOMENT = struct.Struct("<d")
_KEY_OCTETS = 16
_FREE = bytes(_KEY_OCTETS)
_BUCKET_OCTETS = _SLOTS * _SLOT.size
_LOCK_TRIES = 1000


class LocalMoments:
    """Those of a lone process; of each space the keys that were not asked for longest go first."""

    def __init__(self, max_keys: int = MAX_KEYS_PER_SPACE) -> None:
        self._max_keys = max_keys
        self._spaces: dict[str, OrderedDict[str, float]] = {}

    def change(self, space: str, key: str, decide: Callable[[float | None], float | None]) -> None:
        """See `ports.Moments`."""
        kept = self._spaces.get(space)
        if kept is None:
            kept = self._spaces[space] = OrderedDict()
        before = kept.get(key)
        after = decide(before)
        if after is None:
            if before is not None:
                del kept[key]
            return
        kept[key] = after
        kept.move_to_end(key)
        if len(kept) > self._max_keys:
            kept.popitem(last=False)


class SharedMoments:
    """Those of this process and of all that it forks from now on. Raises `OSError`."""

    def __init__(self, buckets: int = _BUCKETS) -> None:
        self._buckets = buckets
        self._secret = secrets.token_bytes(16)
        # A file without a disk, to map and to lock; pages that nobody writes to are not there.
        self._file = os.memfd_create("postroad-moments")
        os.ftruncate(self._file, buckets * _BUCKET_OCTETS)
        self._memory = mmap.mmap(self._file, buckets * _BUCKET_OCTETS)

    def change(self, space: str, key: str, decide: Callable[[float | None], float | None]) -> None:
        """See `ports.Moments`."""
        digest = hashlib.blake2b(
            f"{space}\0{key}".encode(), digest_size=_KEY_OCTETS, key=self._secret
        ).digest()
        bucket = int.from_bytes(digest[:8], "little") % self._buckets
        with self._locked(bucket):
            self._change(bucket * _BUCKET_OCTETS, digest, decide)

    def close(self) -> None:
        """Let go of the memory; other processes keep it."""
        self._memory.close()
        os.close(self._file)

    def _change(
        self, start: int, digest: bytes, decide: Callable[[float | None], float | None]
    ) -> None:
        memory = self._memory
        least, least_at = float("inf"), start
        for at in range(start, start + _BUCKET_OCTETS, _SLOT.size):
            found, moment = _SLOT.unpack_from(memory, at)
            if found == digest:
                after = decide(moment)
                if after is None:
                    memory[at : at + _KEY_OCTETS] = _FREE
                else:
                    _MOMENT.pack_into(memory, at + _KEY_OCTETS, after)
                return
            if found == _FREE:
                moment = float("-inf")
            if moment < least:
                least, least_at = moment, at
        after = decide(None)
        if after is not None:
            # In this order: who is killed in between leaves a free slot, not another's moment.
            memory[least_at : least_at + _KEY_OCTETS] = _FREE
            _MOMENT.pack_into(memory, least_at + _KEY_OCTETS, after)
            memory[least_at : least_at + _KEY_OCTETS] = digest

    @contextmanager
    def _locked(self, bucket: int) -> Iterator[None]:
        file = self._file
        locked = False
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, bucket)
            except (BlockingIOError, PermissionError):
                os.sched_yield()
            else:
                locked = True
                break
        try:
            yield
        finally:
            if locked:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, bucket)
