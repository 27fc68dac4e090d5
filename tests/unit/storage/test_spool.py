"""Notes by the day, in files."""

import stat
from pathlib import Path

import pytest

from postroad.ports import StorageError
from postroad.storage.spool import MAX_LINE_OCTETS, FileSpool

DAY, NEXT = "2026-11-25", "2026-11-26"


def test_lines_come_back_by_day(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool")
    assert spool.days() == []
    assert list(spool.lines(DAY)) == []
    for day, line in ((NEXT, b"3"), (DAY, b"1"), (DAY, b"2"), (NEXT, b"4")):
        assert spool.add(day, line)
    assert spool.days() == [DAY, NEXT]
    assert list(spool.lines(DAY)) == [b"1", b"2"]
    assert list(spool.lines(NEXT)) == [b"3", b"4"]
    assert stat.S_IMODE((tmp_path / "spool" / f"{DAY}.jsonl").stat().st_mode) == 0o600
    spool.close()


def test_two_processes_share_a_day(tmp_path: Path) -> None:
    one, two = FileSpool(tmp_path), FileSpool(tmp_path)
    for number in range(100):
        (one if number % 2 else two).add(DAY, b"%d" % number)
    assert sorted(map(int, one.lines(DAY))) == list(range(100))
    one.close()
    two.close()


def test_a_day_that_was_forgotten_begins_anew(tmp_path: Path) -> None:
    one, two = FileSpool(tmp_path), FileSpool(tmp_path)
    one.add(DAY, b"old")
    two.forget(DAY)
    two.forget(DAY)
    assert one.days() == []
    one.add(DAY, b"new")
    assert list(two.lines(DAY)) == [b"new"]
    one.close()


def test_bounds(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path, max_day_octets=10)
    assert spool.add(DAY, b"12345")
    assert not spool.add(DAY, b"12345")
    assert not spool.add(NEXT, b"x" * (MAX_LINE_OCTETS + 1))
    assert not spool.add(NEXT, b"a\nb")
    assert spool.add(NEXT, b"1")
    spool.close()


def test_a_line_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / f"{DAY}.jsonl").write_bytes(b"1\n2\n3")
    (tmp_path / "other").write_text("x")
    spool = FileSpool(tmp_path)
    assert list(spool.lines(DAY)) == [b"1", b"2"]
    assert spool.days() == [DAY]


@pytest.mark.parametrize("day", ["", "../x", "2026-1-1", "2026-11-25\n"])
def test_what_is_no_day(tmp_path: Path, day: str) -> None:
    with pytest.raises(StorageError, match="is no day"):
        FileSpool(tmp_path).add(day, b"x")


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    spool = FileSpool(tmp_path / "file")
    with pytest.raises(StorageError, match="file"):
        spool.add(DAY, b"x")
    with pytest.raises(StorageError, match="file"):
        spool.days()
