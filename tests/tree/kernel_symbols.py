#!/usr/bin/env python3
"""kernel_symbols.py OBJECT...: objects compiled for an instruction set that not every processor has must not define
weak functions: the linker could pick such a copy of an inline function for the rest of the program."""
import subprocess
import sys


def weak_functions(name):
    symbols = subprocess.run(["nm", "--defined-only", "--demangle", name], capture_output=True, text=True, check=True)
    return [line.split(None, 2)[2] for line in symbols.stdout.splitlines() if line.split(None, 2)[1] in ("W", "w", "u")]


def main():
    if len(sys.argv) < 2:
        sys.exit("no objects given")
    found = [f"{name}: {symbol}" for name in sys.argv[1:] for symbol in weak_functions(name)]
    print("\n".join(found) or f"{len(sys.argv) - 1} objects, no weak functions")
    return bool(found)


sys.exit(main())
