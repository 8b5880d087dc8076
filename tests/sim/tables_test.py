#!/usr/bin/env python3
"""tests/sim/tables prints the same bytes for the same seeds, and says so when it cannot simulate."""
import os
import pathlib
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def tables(*words, **environment):
    return subprocess.run([sys.executable, "-B", str(HERE / "tables"), *words], capture_output=True, check=False,
                          env=os.environ | environment)


class Tables(unittest.TestCase):
    def test_the_same_seeds_give_the_same_bytes(self):
        once, again = (tables("calibration", "--seeds", "1") for _ in range(2))
        self.assertEqual(once.returncode, 0, once.stderr)
        self.assertEqual(once.stdout, again.stdout)
        self.assertIn(b"| 32 at 25, directed | 0.", once.stdout)

    def test_what_cannot_be_simulated_is_an_error(self):
        self.assertNotEqual(tables("nothing").returncode, 0)
        self.assertNotEqual(tables("calibration", EZIO_BIN="/nonexistent").returncode, 0)

    def test_a_wrong_key_is_refused(self):
        binary = pathlib.Path(os.environ["EZIO_BIN"], "lab_sim")
        done = subprocess.run([str(binary), "node=3"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertIn("node=3", done.stderr)


if __name__ == "__main__":
    unittest.main()
