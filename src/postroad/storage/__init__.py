"""Keeps what must not be lost: the implementations of the ports Ledger, QueueStore, Directory,
MailboxStore, MailboxLocks, JourneyStore and ContentStore.

`sqlite` is the store of one machine; `memory` is for the simulator and for tests, and forgets all.
Both pass the same contract suite (``tests/contracts``). What a store cannot do raises
`ports.StorageError` and leaves nothing half done; nothing is ever acknowledged before it is stored.
Only `runtime` and `lab` choose a store; nobody else imports this room.
"""
