"""`ezioctl top` on a terminal of 80x24, against a real daemon."""
import contextlib
import os
import signal
import subprocess
import termios
import time
import unittest

import lab
from access_test import KeyedLab
from lab import BIN, MIB, Lab, ezioctl, need, wait_until
from screen_terminal import ENTER, LEAVE, Terminal

EZIOCTL = BIN / "ezioctl"


@contextlib.contextmanager
def top(daemon, *options, **keywords):
    with Terminal(EZIOCTL, "--endpoint", daemon.endpoint, "top", "--interval", "0.5", *options, **keywords) as terminal:
        yield terminal


def two_torrents(laboratory):
    """A daemon with a seed and with a torrent that waits for peers."""
    daemon = laboratory.daemon("one")
    for name, options in (("ready", ("--seed",)), ("waiting", ())):
        image = laboratory.random_image(name, 8 * MIB)
        torrent = laboratory.torrent(image, None, "--fs", "raw")
        daemon.add(torrent, image if options else laboratory.image(f"{name}.img", 8 * MIB), *options)
    daemon.wait_for(lambda row: row["state"] == "seeding", "the seed is ready",
                    next(row["info_hash"] for row in daemon.torrents_now() if row["name"] == "ready"))
    return daemon


class Screen(unittest.TestCase):
    def test_every_key_from_start_to_quit(self):
        with Lab() as laboratory:
            daemon = two_torrents(laboratory)
            with top(daemon) as terminal:
                terminal.wait_for("2 torrents: 1 downloading, 1 seeding", "by name, all, every 0.5 s", "> ready", "  waiting",
                                  "cache ", "bottleneck: ", "1-2 of 2")
                self.assertTrue(terminal.bytes.startswith(ENTER))
                self.assertGreater(terminal.colours, 0)
                terminal.type("r")
                text = terminal.wait_for("by name reversed")
                self.assertLess(text.index("waiting"), text.index("> ready"))
                terminal.type("s")
                terminal.wait_for("by path reversed")
                terminal.type("rff")
                terminal.wait_for("by path, downloading", "> waiting", "1-1 of 1", without=("ready",))
                terminal.type("f")
                terminal.wait_for("by path, seeding", "> ready", without=("waiting",))
                terminal.type("fffff")
                terminal.wait_for("by path, all", "1-2 of 2")
                terminal.type("/wai\n")
                terminal.wait_for("> waiting")
                terminal.type("\n")
                info_hash = next(row["info_hash"] for row in daemon.torrents_now() if row["name"] == "waiting")
                terminal.wait_for(f"info-hash     {info_hash}", "no peers", "durable       not yet")
                terminal.type("h")
                terminal.wait_for("h ?                this help")
                terminal.type("\x1b")
                terminal.wait_for(info_hash)
                terminal.type("q")
                terminal.wait_for("> waiting")
                terminal.resize(12, 60)
                terminal.wait_for("2 torrents:", "> waiting", "1-2 of 2")
                terminal.resize(24, 80)
                terminal.wait_for("bottleneck: ", "> waiting")
                terminal.type("p")
                terminal.wait_for("pause waiting (", "? y/n")
                terminal.type("n")
                terminal.wait_for("is left as it is")
                self.assertEqual({row["state"] for row in daemon.torrents_now()}, {"downloading", "seeding"})
                terminal.type("py")
                terminal.wait_for("1 paused, 1 seeding")
                terminal.type("py")
                terminal.wait_for("resume waiting", "done", "1 downloading, 1 seeding")
                terminal.type("q")
                self.assertEqual(terminal.wait_end(), (0, ""))

    def test_few_bytes_on_a_slow_line(self):
        with Lab() as laboratory:
            daemon = two_torrents(laboratory)
            with top(daemon, "--no-color") as terminal:
                terminal.wait_for("2 torrents", "bottleneck: ")
                first = len(terminal.bytes)
                start, end = len(terminal.bytes), time.monotonic() + 5
                wait_until(lambda: terminal.read() >= 0 and time.monotonic() > end, "ten looks", 20)
                per_look = (len(terminal.bytes) - start) / 10
                print(f"first picture {first} bytes, then {per_look:.0f} bytes a look at rest")
                self.assertLess(first, 2 * 80 * 24)
                self.assertLess(per_look, 80)
                self.assertEqual(terminal.colours, 0)
                terminal.type("q")
                self.assertEqual(terminal.wait_end(), (0, ""))

    def test_it_says_that_its_picture_is_old_and_connects_again(self):
        with Lab() as laboratory:
            daemon = two_torrents(laboratory)
            with top(daemon) as terminal:
                terminal.wait_for("> ready")
                daemon.stop()
                terminal.wait_for("STALE, ", " s old: no daemon at ", "> ready", "  waiting")
                daemon.start()
                terminal.wait_for("eziod at ", "> ready", without=("STALE",))
                daemon.process.send_signal(signal.SIGSTOP)
                terminal.wait_for("STALE, ", "the daemon does not answer", "> ready")
                terminal.type("j")
                terminal.wait_for("> waiting")
                daemon.process.send_signal(signal.SIGCONT)
                terminal.wait_for("eziod at ", without=("STALE",))
                terminal.type("q")
                self.assertEqual(terminal.wait_end(), (0, ""))


class Ends(unittest.TestCase):
    def test_a_signal_gives_the_terminal_back(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            for way in (lambda t: t.type("\x03"), lambda t: t.process.send_signal(signal.SIGINT),
                        lambda t: t.process.send_signal(signal.SIGTERM)):
                with top(daemon) as terminal:
                    terminal.wait_for("no torrents")
                    way(terminal)
                    self.assertEqual(terminal.wait_end(), (8, "ezioctl: interrupted\n"))

    def test_it_stops_and_goes_on(self):
        need("bash")
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            with Terminal("/bin/bash", "--norc", "--noediting", "-i", stderr=subprocess.STDOUT, env=dict(os.environ, PS1="at prompt$ ")) as terminal:
                terminal.wait_for("at prompt$")
                before = termios.tcgetattr(terminal.inside)
                terminal.type(f"{EZIOCTL} --endpoint {daemon.endpoint} top\n")
                terminal.wait_for("no torrents")
                terminal.type("\x1a")
                wait_until(lambda: terminal.read() >= 0 and b"Stopped" in terminal.bytes, "it has stopped", 30)
                self.assertEqual((terminal.bytes.count(ENTER), terminal.bytes.count(LEAVE)), (1, 1))
                self.assertEqual(termios.tcgetattr(terminal.inside), before)
                terminal.type("fg\n")
                wait_until(lambda: terminal.read() >= 0 and terminal.bytes.count(ENTER) == 2, "the screen is taken again", 30)
                terminal.wait_for("no torrents", "h help")
                terminal.type("q")
                wait_until(lambda: terminal.read() >= 0 and terminal.bytes.count(LEAVE) == 2, "the screen is given back", 30)
                terminal.type("echo end-$?\n")
                wait_until(lambda: terminal.read() >= 0 and b"end-0" in terminal.bytes, "its exit status", 30)
                self.assertEqual(termios.tcgetattr(terminal.inside), before)

    def test_a_daemon_that_was_never_there(self):
        with Terminal(EZIOCTL, "--endpoint", "ipc:///nonexistent/socket", "top") as terminal:
            self.assertEqual(terminal.process.wait(30), 7)
            self.assertEqual(terminal.read(), 0)
            self.assertRegex(terminal.process.stderr.read().decode(), r"^ezioctl: no daemon at ipc:///nonexistent/socket: .*\n$")

    def test_no_terminal_no_top(self):
        for options in ((), ("--json",)):
            done = ezioctl(*options, "top", check=False)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, r"^ezioctl: top draws on a terminal; see status --watch.*\n$")
        with Terminal(EZIOCTL, "--json", "top") as terminal:
            self.assertEqual(terminal.process.wait(30), 2)
        self.assertEqual(ezioctl("top", "--sort", "colour", check=False).returncode, 2)


class Keys(unittest.TestCase):
    def test_a_client_that_may_only_read_is_told_so(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon()
            image = laboratory.random_image("image", 8 * MIB)
            torrent = laboratory.torrent(image, None, "--fs", "raw")
            server = ("--server-key", laboratory.folder / "server.pub")
            full = ("--key", laboratory.folder / "full.key", *server)
            ezioctl("--endpoint", daemon.endpoint, *full, "add", torrent, image, "--seed")
            with Terminal(EZIOCTL, "--endpoint", daemon.endpoint, "--key", laboratory.folder / "reader.key", *server, "top") as terminal:
                terminal.wait_for("> image", "1 torrent: 1 seeding")
                terminal.type("py")
                terminal.wait_for("pause image", "read-only")
                terminal.wait_for("1 torrent: 1 seeding")
                terminal.type("q")
                self.assertEqual(terminal.wait_end(), (0, ""))


if __name__ == "__main__":
    lab.run(__import__("__main__"))
