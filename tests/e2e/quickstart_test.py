"""The script that newcomers run first."""
import os
import pathlib
import signal
import subprocess
import unittest

import lab
from lab import ROOT, Lab, need, wait_until


class Quickstart(unittest.TestCase):
    def setUp(self):
        need("mkfs.ext4", "partclone.ext4", "e2fsck")
        self.lab = self.enterContext(Lab())
        self.command = [ROOT / "examples" / "quickstart.sh", "--bin", lab.BIN, "--size", "64"]

    def devices(self):
        """What the script could leave behind."""
        loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=False).stdout
        shm = [str(path) for path in pathlib.Path("/dev/shm").glob("ezio-quickstart.*")]
        return [line for line in loops.splitlines() if "ezio-quickstart" in line] + shm

    def test_it_clones_and_cleans_up(self):
        before = self.devices()
        done = subprocess.run(self.command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=200)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("covered bytes in"), 2)
        self.assertIn("Both targets hold the source's bytes", done.stdout)
        self.assertEqual(self.devices(), before)

    def test_it_cleans_up_when_interrupted(self):
        before = self.devices()
        log = self.lab.folder / "log"
        with open(log, "wb") as out:
            script = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_until(lambda: b"--peer" in log.read_bytes() or script.poll() is not None, "the transfer begins")
        self.assertIsNone(script.poll(), log.read_text())
        os.killpg(script.pid, signal.SIGINT)
        self.assertNotEqual(script.wait(60), 0)
        self.assertEqual(self.devices(), before)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
