#!/usr/bin/env python3
"""Plays faults at random and counts what must never happen: see docs/reliability.md.

    tests/reliability/run.py                        # all campaigns in full, some twenty minutes; as root
    tests/reliability/run.py write-error --runs 10 --seed 7
    tests/reliability/run.py write-error --seed 7 --only 3    # run 3 of that alone
    tests/reliability/run.py --update-docs          # and write the table of docs/reliability.md
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "reliability")]

# pylint: disable=wrong-import-position
import campaign  # noqa: E402
import device_campaigns  # noqa: E402,F401
import peer_campaigns  # noqa: E402,F401
import process_campaigns  # noqa: E402,F401
import stress_campaign  # noqa: E402,F401
import table  # noqa: E402

SKIPPED = 77


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def play(chosen, units, seed, only):
    """The result of one campaign; None if it cannot be played here."""
    print(f"--- {chosen.name}: {units} {chosen.unit}, seed {seed}", flush=True)
    context = campaign.Context(chosen, units, seed)
    try:
        chosen.play(context, only)
    except unittest.SkipTest as reason:
        print(f"skipped: {chosen.name}: {reason}", flush=True)
        return None
    result = context.result()
    print(f"    {result['units']} {chosen.unit} in {result['runs']} runs, {result['seconds']} s: {table.outcome(result)}", flush=True)
    for failure in result["failures"]:
        print(f"    FAILED {failure}\n    repeat: tests/reliability/run.py {chosen.name} --seed {seed} --only "
              f"{failure.split(':', 1)[0].removeprefix('run ')}", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="campaigns; all if none is named")
    parser.add_argument("--list", action="store_true", help="name the campaigns")
    parser.add_argument("--runs", type=int, help="faults to play; default: the full number of each campaign")
    parser.add_argument("--smoke", action="store_true", help="a few of each")
    parser.add_argument("--seed", help="repeats what was played with it; default: a fresh one")
    parser.add_argument("--only", type=int, metavar="N", help="run N alone")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results there")
    parser.add_argument("--update-docs", action="store_true", help="write docs/reliability.json and the table")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(campaign.CAMPAIGNS))
        return 0
    for name in arguments.names:
        if name not in campaign.CAMPAIGNS:
            parser.error(f"there is no campaign {name}: {', '.join(campaign.CAMPAIGNS)}")
    seed = arguments.seed or str(random.SystemRandom().randrange(10**9))
    results, tree = [], commit()
    for name in arguments.names or campaign.CAMPAIGNS:
        chosen = campaign.CAMPAIGNS[name]
        units = arguments.runs or (chosen.smoke if arguments.smoke else chosen.full)
        if result := play(chosen, units, seed, arguments.only):
            result["commit"] = tree
            results.append(result)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.update_docs:
        table.update(results)
    if not results:
        return SKIPPED
    return 1 if any(result["failures"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
