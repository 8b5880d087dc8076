#!/usr/bin/env python3
"""The systemd unit is well formed and closed: service_check.py UNIT PROGRAM.

`systemd-analyze verify` must be silent with PROGRAM in the installed one's place, and `systemd-analyze security` must not find more
exposure than EXPOSURE_MAX. Exit status 77, with the reason, where systemd-analyze is missing or too old.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# In tenths. Root and the network are what is left.
EXPOSURE_MAX = 25


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def main():
    if shutil.which("systemd-analyze") is None:
        print("skipped: systemd-analyze is not installed")
        sys.exit(77)
    if "--offline" not in run("systemd-analyze", "--help").stdout:
        print("skipped: this systemd-analyze has no --offline")
        sys.exit(77)
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    text, count = re.subn(r"(?m)^ExecStart=\S+", f"ExecStart={sys.argv[2]}", text)
    faults = [] if count == 1 else ["not exactly one ExecStart"]
    with tempfile.TemporaryDirectory(prefix="ezio-unit-") as folder:
        unit = pathlib.Path(folder) / "eziod.service"
        unit.write_text(text, encoding="utf-8")
        verified = run("systemd-analyze", "verify", "--man=no", unit)
        ours = [line for line in verified.stderr.splitlines() if "eziod" in line]
        if verified.returncode or ours:
            faults.append(f"verify: exit status {verified.returncode}\n{verified.stderr}")
        judged = run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
        if judged.returncode:
            faults.append(f"security: exit status {judged.returncode}\n{judged.stdout}{judged.stderr}")
    print("\n".join(faults) or judged.stdout.strip().splitlines()[-1])
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
