#!/usr/bin/env python3
"""Every header compiles alone: header_check.py ROOT COMPILER FLAG..."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

FOLDERS = ("actors", "config", "ctl", "daemon", "tests")


def check(root, compiler, flags, header):
    name = header.relative_to(root)
    done = subprocess.run(
        [compiler, *flags, "-fsyntax-only", "-x", "c++", "-"],
        input=f'#include "{name}"\n#include "{name}"\n', capture_output=True, text=True, check=False)
    return name, done.returncode, done.stderr


def main():
    root, compiler, flags = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    headers = sorted(h for folder in FOLDERS for h in (root / folder).rglob("*.hpp"))
    if not headers:
        sys.exit(f"no headers below {root}")
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, status, text in pool.map(lambda h: check(root, compiler, flags, h), headers):
            if status:
                bad += 1
                print(f"{name} does not compile alone:\n{text}")
    print(f"{len(headers)} headers, {bad} bad")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
