"""A backup is verified where it is."""

from pathlib import Path

from postroad.model import format_id
from postroad.storage.backup.check import verify_backup
from tests.unit.storage.backup.test_make import backed_up, data, quiet

__all__ = ["data"]


async def test_what_is_wrong_is_named(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    await backed_up(data, target)
    changed = next(target.glob(f"content/*/{format_id(111)}"))
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    next(target.glob(f"content/*/{format_id(222)}")).unlink()
    (target / "beside/keys/here.test.key").write_text("changed")
    manifest = target / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"messages": 2', '"messages": 3'))
    report = await verify_backup(target, quiet)
    assert not report.sound
    words = [problem.what for problem in report.problems]
    assert len(words) == 4
    assert any("here.test.key is damaged" in each for each in words)
    assert any("there are 2 messages, and there should be 3" in each for each in words)
    assert any(format_id(111) in each and "SHA-256" in each for each in words)
    assert any(format_id(222) in each and "missing" in each for each in words)
    assert all(problem.mend for problem in report.problems)
    changed.unlink()  # as it says
    await backed_up(data, target)
    assert (await verify_backup(target, quiet)).problems == []


async def test_a_damaged_database_is_not_looked_into(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    made = await backed_up(data, target)
    with (target / made.manifest.database).open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 100)
    report = await verify_backup(target, quiet)
    assert [each.what.split()[0] for each in report.problems] == [made.manifest.database]
