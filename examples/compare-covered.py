#!/usr/bin/env python3
"""Compares every byte that a torrent covers:  ezioctl inspect --json FILE | compare-covered.py SOURCE TARGET"""
import json
import sys

STEP = 4 << 20


def main():
    extents = json.load(sys.stdin)["extents"]
    covered = 0
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "rb") as target:
        for extent in extents:
            position, end = extent["offset_bytes"], extent["offset_bytes"] + extent["length_bytes"]
            while position < end:
                length = min(STEP, end - position)
                source.seek(position)
                target.seek(position)
                wanted = source.read(length)
                if len(wanted) != length or wanted != target.read(length):
                    sys.exit(f"{sys.argv[2]} differs from {sys.argv[1]} within {length} bytes at {position}")
                position += length
                covered += length
    if covered == 0:
        sys.exit("the torrent covers nothing")
    print(f"{sys.argv[2]}: all {covered} covered bytes in {len(extents)} extents are equal")


if __name__ == "__main__":
    main()
