"""A store in memory, for the simulator and for tests: deterministic, without threads or files.

It forgets everything with the process. `before_commit`, a callable, is called with each group before
it is applied; what it raises (a `ports.StorageError`) refuses the group: so the simulator makes disks
fail. Import from here: ``MemoryStore``.
"""

from postroad.storage.memory.store import MemoryStore

__all__ = ["MemoryStore"]
