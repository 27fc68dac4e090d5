"""The pytest plugin as a stranger's test suite meets it: the examples of the docs, run by pytest."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / "docs" / page).read_text())


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(
        "-p", "no:asyncio", "-p", "no:timeout", "-p", "no:cacheprovider", *arguments, timeout=120
    )


def test_the_examples_of_the_guide(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_orders=blocks("howto/test-your-application.md")[0])

    result = run(pytester, "-W", "error")

    result.assert_outcomes(passed=4)


def test_the_example_of_the_tutorial(tmp_path: Path) -> None:
    script = tmp_path / "tour.py"
    script.write_text(blocks("tutorial/lab.md")[0])

    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "451 4.7.1 Greylisted" in done.stdout
    assert "delivered" in done.stdout


def test_tests_do_not_see_each_others_mail(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(12))
        def test_alone(mailworld, number):
            mailworld.domain("shop.test", ["orders"])
            assert mailworld.inbox("orders@shop.test") == []
            mailworld.send(mailworld.smtp.sender, "orders@shop.test", subject=str(number))
            message = mailworld.wait_for_message("orders@shop.test")
            assert message["Subject"] == str(number)
            assert len(mailworld.inbox("orders@shop.test")) == 1
        """
    )

    result = run(pytester, "-W", "error")

    result.assert_outcomes(passed=12)


def test_faults_are_mended_by_the_end_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_broken(mailworld):
            mailworld.domain("shop.test", ["orders"])
            mailworld.break_dns("shop.test", "servfail")
            mailworld.break_network(latency_seconds=0.5)
            mailworld.break_site("shop.test")
            queue_id = mailworld.send(mailworld.smtp.sender, "orders@shop.test")
            mailworld.run(
                mailworld.world.journey_with(
                    queue_id, lambda j: "deferred" in [line.what for line in j.lines]
                )
            )
            mailworld.mend()
            mailworld.wait_for_message("orders@shop.test")
            mailworld.break_dns("shop.test", "timeout")
            mailworld.break_network(latency_seconds=9)

        def test_whole(mailworld):
            mailworld.domain("shop.test", ["orders"])
            mailworld.send(mailworld.smtp.sender, "orders@shop.test")
            mailworld.wait_for_message("orders@shop.test", timeout_seconds=5)
        """
    )

    run(pytester, "-W", "error").assert_outcomes(passed=2)


def test_an_error_says_where_the_mail_is(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_waits_in_vain(mailworld):
            mailworld.domain("shop.test", ["orders"])
            mailworld.break_site("shop.test")
            mailworld.send(mailworld.smtp.sender, "orders@shop.test")
            mailworld.mend()
            mailworld.wait_for_message("orders@shop.test")
            mailworld.wait_for_message("orders@shop.test", count=2, timeout_seconds=0.1)
        """
    )

    result = run(pytester)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*1 of 2 messages for orders@shop.test*", "*split*'orders'*"])


def test_it_costs_nothing_where_it_is_not_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported(request):
            assert request.config.pluginmanager.has_plugin("postroad")
            loaded = {name for name in sys.modules if name.startswith("postroad")}
            assert loaded <= {"postroad", "postroad.lab", "postroad.lab.pytest"}
        """
    )

    run(pytester).assert_outcomes(passed=1)


def test_it_can_be_turned_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_alone(): pass\ndef test_gone(mailworld): pass")

    run(pytester, "-p", "no:postroad").assert_outcomes(passed=1, errors=1)


def test_a_world_starts_quickly(mailworld: "object") -> None:
    from postroad.lab.mailworld import MailWorld

    assert isinstance(mailworld, MailWorld)
    best = float("inf")
    for number in range(3):
        began = time.perf_counter()
        mailworld.domain(f"quick{number}.test", ["a"])
        best = min(best, time.perf_counter() - began)
    assert best < 0.3
