import stat
from pathlib import Path

import pytest

from postroad.model import KeyState, StoredKey
from postroad.ports import StorageError
from postroad.storage.keys import FileKeys

KEY = StoredKey("a.test", "k1", "rsa-sha256", "PRIVATE", 10.0)


def test_a_key_is_kept_replaced_and_forgotten(tmp_path: Path) -> None:
    store, other = FileKeys(tmp_path / "keys"), FileKeys(tmp_path / "keys")
    assert store.all() == []
    generations = {store.generation()}
    store.put(KEY)
    generations.add(store.generation())
    newer = StoredKey("a.test", "k1", "rsa-sha256", "PRIVATE", 10.0, signs_from=11.0)
    elder = StoredKey("a.test", "k0", "rsa-sha256", "PRIVATE", 9.0)
    store.put(newer)
    generations.add(store.generation())
    store.put(elder)
    assert other.all() == [elder, newer]
    store.remove("a.test", "k1")
    store.remove("a.test", "k0")
    store.remove("b.test", "k0")
    generations.add(store.generation())
    assert other.all() == []
    assert len(generations) == 4


def test_another_process_sees_that_something_changed(tmp_path: Path) -> None:
    store, other = FileKeys(tmp_path / "keys"), FileKeys(tmp_path / "keys")
    before = other.generation()
    store.put(KEY)
    assert other.generation() != before


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    store = FileKeys(tmp_path / "keys")
    store.put(KEY)
    file = tmp_path / "keys/a.test/k1.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o640)
    with pytest.raises(StorageError, match=r"mode 640.*chmod 600"):
        store.all()


@pytest.mark.parametrize("domain", ["..", "a/b", "", ".hidden", "a\0b"])
def test_names_stay_within_the_directory(tmp_path: Path, domain: str) -> None:
    store = FileKeys(tmp_path / "keys")
    with pytest.raises(StorageError, match="cannot be part"):
        store.put(StoredKey(domain, "k1", "rsa-sha256", "P", 1.0))
    with pytest.raises(StorageError, match="cannot be part"):
        store.remove("a.test", domain)


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    place = tmp_path / "keys/a.test"
    place.mkdir(parents=True)
    file = place / "k1.json"
    file.write_text("{")
    file.chmod(0o600)
    with pytest.raises(StorageError, match="no key"):
        FileKeys(tmp_path / "keys").all()


def test_a_key_is_never_shown() -> None:
    assert "PRIVATE" not in repr(KEY)
    assert KEY.state(20.0) is KeyState.WAITING
