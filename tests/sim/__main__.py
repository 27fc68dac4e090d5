"""``python -m tests.sim --seed 1 --count 1000 --jobs 2``: run seeds and print those that fail.

``--seed N --verbose`` prints all that happens in one seed.
"""

import argparse
import multiprocessing
import os
import sys
import time

from tests.sim.simulate import Outcome, settle_down, simulate, total


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--verbose", action="store_true", help="print every packet and commit")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.count)
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    if given.verbose or given.count == 1:
        outcomes = [simulate(seed, verbose=given.verbose) for seed in seeds]
    else:
        with multiprocessing.Pool(given.jobs, settle_down) as pool:
            for outcome in pool.imap_unordered(simulate, seeds, chunksize=10):
                outcomes.append(outcome)
                if outcome.problems:
                    print(f"seed {outcome.seed}: {outcome.problems[0]}", flush=True)
    seconds = time.perf_counter() - began
    failed = sorted(outcome.seed for outcome in outcomes if outcome.problems)
    if given.count == 1:
        print(*outcomes[0].problems, sep="\n")
        print("digest", outcomes[0].digest, "steps", outcomes[0].steps)
    print(", ".join(f"{name} {count}" for name, count in sorted(total(outcomes).items())))
    print(f"{len(outcomes)} seeds in {seconds:.1f} s, {len(outcomes) / seconds:.1f}/s")
    print(f"failed: {failed}" if failed else "all promises kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
