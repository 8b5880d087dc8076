#!/usr/bin/env python3
"""Asks every program of the folders of tests that takes options for its --help."""
import pathlib
import subprocess
import sys


def takes_options(path):
    if not path.is_file() or path.suffix not in ("", ".py"):
        return False
    text = path.read_text(errors="replace")
    return text.startswith("#!") and "argparse" in text.partition("\n\n\n")[0]


def main():
    programs = [path for path in sorted(pathlib.Path(sys.argv[1]).rglob("*"))
                if takes_options(path) and "__pycache__" not in path.parts and path != pathlib.Path(__file__).resolve()]
    if not programs:
        sys.exit("no program was found")
    faults = []
    for path in programs:
        done = subprocess.run([sys.executable, "-B", path, "--help"], capture_output=True, text=True)
        if done.returncode != 0 or not done.stdout.startswith("usage:"):
            faults.append(f"{path} --help ended with {done.returncode}: {done.stderr[-500:]}")
    print(f"{len(programs)} programs asked")
    sys.exit("\n".join(faults) or 0)


main()
