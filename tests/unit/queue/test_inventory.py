"""What this process holds leases on."""

from postroad.model import ContentRef, LeasedDelivery
from postroad.queue.inventory import Inventory
from tests.contracts.stores import FAR, deliveries_of, message_of

MESSAGE = message_of(ContentRef(1, 10), FAR)
LEASED = LeasedDelivery(MESSAGE, tuple(deliveries_of(MESSAGE)))
KEYS = [(MESSAGE.id, each.ordinal) for each in LEASED.deliveries]


def test_nothing_is_begun_once_its_lease_has_run_out() -> None:
    inventory = Inventory(10)
    job = inventory.add(LEASED, 100.0)
    assert job is not None
    assert not inventory.take(job, 100.0)
    assert not job.flying
    assert inventory.size == 0

    job = inventory.add(LEASED, 100.0)
    assert job is not None
    assert inventory.take(job, 99.0)
    assert job.flying


def test_what_is_in_flight_is_not_withdrawn() -> None:
    inventory = Inventory(10)
    job = inventory.add(LEASED, 100.0)
    assert job is not None
    assert inventory.take(job, 1.0)
    inventory.withdraw(KEYS)
    assert inventory.size == len(KEYS)
    assert inventory.add(LEASED, 200.0) is None, "leased anew, it is not sent beside itself"


def test_what_waits_is_withdrawn() -> None:
    inventory = Inventory(10)
    job = inventory.add(LEASED, 100.0)
    assert job is not None
    inventory.withdraw(KEYS)
    assert not inventory.take(job, 1.0)
