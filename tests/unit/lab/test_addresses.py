"""Where labs settle."""

import socket

import pytest

from postroad.lab.addresses import HUMAN_BLOCK, Addresses, Ports, _free


def test_the_wished_for_block_comes_first_and_others_follow() -> None:
    places = list(Addresses(HUMAN_BLOCK, one_address=False).name_servers())

    assert places[0] == ("127.0.0.2", 53)
    assert len({address for address, _ in places}) > 20
    assert {port for _, port in places} == {53, 5335, 0}


def test_addresses_never_come_twice() -> None:
    addresses = Addresses("127.9.255", one_address=False)

    found = [addresses.next() for _ in range(600)]

    assert len(set(found)) == 600
    assert found[0] == "127.9.255.3"
    assert "127.9.0.3" in found


def test_ports_of_someone_else_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as mine, socket.socket() as other:
        # On all of loopback, as a mail server of the machine has it.
        mine.bind(("0.0.0.0", 0))
        mine.listen(1)
        other.bind(("0.0.0.0", 0))
        other.listen(1)
        free = _free("127.45.6.3", 4)
        usual = Ports(mine.getsockname()[1], free[0], free[1], free[2], free[3])
        high = Ports(free[0], free[1], free[2], free[3], other.getsockname()[1])
        monkeypatch.setattr("postroad.lab.addresses.USUAL", usual)
        monkeypatch.setattr("postroad.lab.addresses.HIGH", high)
        addresses = Addresses("127.45.6", one_address=False)

        addresses.settle("127.45.6.2")

    assert addresses.ports not in (usual, high)
    assert len(set(addresses.ports.services.values())) == 5


def test_high_ports_serve_where_the_usual_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as mine:
        mine.bind(("0.0.0.0", 0))
        mine.listen(1)
        free = _free("127.45.7.3", 9)
        high = Ports(*free[4:])
        monkeypatch.setattr("postroad.lab.addresses.USUAL", Ports(mine.getsockname()[1], *free[:4]))
        monkeypatch.setattr("postroad.lab.addresses.HIGH", high)
        addresses = Addresses("127.45.7", one_address=False)

        addresses.settle("127.45.7.2")

    assert addresses.ports == high


def test_one_address_leads_every_server_to_it() -> None:
    addresses = Addresses(one_address=True)
    addresses.settle("127.0.0.1")

    assert list(addresses.name_servers()) == [("127.0.0.1", 0)]
    assert addresses.real(addresses.next()) == "127.0.0.1"
    assert set(addresses.ports.services.values()) == {0}
