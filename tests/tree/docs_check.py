#!/usr/bin/env python3
"""What documents name exists: docs_check.py ROOT.

In README.md and docs/: every `path` below a folder of the tree, every relative link, and every test cited as
(`tests/FILE`: "name of the test"). Each sentence of docs/disk-contract.md that stands in a list cites one.
"""
import pathlib
import re
import sys

PATH = re.compile(r"`((?:\.ci|actors|cmake|config|ctl|daemon|docs|examples|tests)/[\w./+-]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
CITATION = re.compile(r'`(tests/[\w./]+)`: "([^"]+)"')


def check(root):
    for document in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        name = document.relative_to(root)
        for path in PATH.findall(text):
            if not (root / path).exists() and not list(root.glob(path + ".?pp")):
                yield f"{name}: there is no {path}"
        for link in LINK.findall(text):
            if not (document.parent / link).exists():
                yield f"{name}: dead link {link}"
        for path, test in CITATION.findall(re.sub(r"\s+", " ", text)):
            source = root / path
            if source.exists() and test not in re.sub(r'"\s*"', "", source.read_text(encoding="utf-8")):
                yield f'{name}: {path} has no test "{test}"'
        if name.name == "disk-contract.md":
            for entry in re.split(r"\n(?=- |\n|#)", text):
                if entry.startswith("- ") and not CITATION.search(re.sub(r"\s+", " ", entry)):
                    yield f"{name}: no test is cited by: {entry[:80]}"


def main():
    faults = list(check(pathlib.Path(sys.argv[1])))
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
