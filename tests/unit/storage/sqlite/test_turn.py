import subprocess
import sys
import threading
from pathlib import Path

from postroad.storage.sqlite.turn import Turn

_HOLDER = """
import sys, time
from pathlib import Path
from postroad.storage.sqlite.turn import Turn
Turn(Path(sys.argv[1])).take(wait=True)
print("held", flush=True)
time.sleep(60)
"""


def test_one_at_a_time_and_again_while_it_is_held(tmp_path: Path) -> None:
    first, second = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")
    assert first.take(wait=False)
    assert first.take(wait=False)
    assert not second.take(wait=False)
    first.give()
    assert second.take(wait=False)
    second.close()
    first.give()  # of what is not held: nothing
    assert first.take(wait=False)
    first.close()


def test_who_waits_is_woken(tmp_path: Path) -> None:
    first, second = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")
    first.take(wait=True)
    waiter = threading.Thread(target=second.take, kwargs={"wait": True})
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    first.give()
    waiter.join(30)
    assert not waiter.is_alive()
    for turn in (first, second):
        turn.close()


def test_it_goes_with_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "turn"
    command = [sys.executable, "-c", _HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        turn = Turn(path)
        assert not turn.take(wait=False)
        holder.kill()
        assert turn.take(wait=True)
        turn.close()
