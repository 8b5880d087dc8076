"""Who may use the control socket: keys over tcp, roles, refusals, mode of the ipc socket, many idle connections."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import unittest

import lab
from lab import Lab, ezioctl, free_port, need, need_root, wait_until

READ_ONLY = (("status",), ("ping",), ("version",), ("stats",), ("peers",), ("report",), ("get",), ("settings",),
             ("wait", "--for", "idle"))
CHANGING = (("pause", "all"), ("resume", "all"), ("remove", "all"), ("verify", "all"), ("reannounce", "all"), ("tune", "all", "--priority", "high"),
            ("set", "cache-size", "100"), ("reload",), ("shutdown",))


class KeyedLab(Lab):
    """A laboratory with keys of a daemon and of four clients, three of which are on the list."""

    def __init__(self):
        super().__init__()
        self.keys = {}
        for name in ("server", "full", "reader", "stranger", "third"):
            role = "full" if name in ("full", "third") else "read-only"
            document = json.loads(ezioctl("--json", "keygen", "-o", self.folder / name, "--role", role).stdout)
            self.keys[name] = document["public_key"]
        self.list = self.folder / "clients"
        self.allow("full", "reader")

    def allow(self, *names):
        lines = [f"{self.keys[name]} {'read-only' if name == 'reader' else 'full'} {name}" for name in names]
        self.list.write_text("# clients\n" + "\n".join(lines) + "\n", encoding="ascii")
        self.list.chmod(0o644)

    def keyed_daemon(self, name="one", address="127.0.0.1"):
        daemon = lab.Daemon(self, name, {"control": {
            "curve-secret-key": str(self.folder / "server.key"), "authorized-keys": str(self.list),
            "endpoint": f"tcp://{address}:{free_port()}", "events-endpoint": f"tcp://{address}:{free_port()}"}})
        daemon.endpoint = daemon.settings["control"]["endpoint"].replace("0.0.0.0", "127.0.0.1")
        self.daemons.append(daemon)
        daemon.answers = lambda: daemon.process.poll() is None and self.ask(daemon, "full", "ping").returncode == 0
        return daemon.start()

    def ask(self, daemon, who, *command, server="server", timeout=10):
        """ezioctl with the keys of somebody; None: without any."""
        keys = ()
        if who:
            keys = ("--key", self.folder / f"{who}.key", "--server-key", self.folder / f"{server}.pub")
        return ezioctl("--timeout", timeout, *keys, *command, endpoint=daemon.endpoint, check=False)

    def assert_refused(self, test, done):
        test.assertEqual(done.returncode, 7, done.stdout + done.stderr)
        test.assertEqual(done.stdout, "")
        test.assertRegex(done.stderr, "^ezioctl: [^\n]+\n$")


class Keys(unittest.TestCase):
    def test_roles_over_tcp(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon(address="0.0.0.0")
            for command in READ_ONLY:
                with self.subTest(command):
                    done = laboratory.ask(daemon, "reader", *command)
                    self.assertEqual(done.returncode, 0, done.stderr)
            for command in CHANGING:
                with self.subTest(command):
                    done = laboratory.ask(daemon, "reader", *command)
                    laboratory.assert_refused(self, done)
                    self.assertIn("read-only", done.stderr)
            done = laboratory.ask(daemon, "reader", "add", laboratory.torrent(laboratory.random_image("s", 1 << 20), None,
                                                                             "--fs", "raw"),
                                  laboratory.image("t", 1 << 20))
            laboratory.assert_refused(self, done)
            self.assertEqual(json.loads(laboratory.ask(daemon, "full", "--json", "status").stdout)["torrents"], [])
            done = laboratory.ask(daemon, "full", "set", "cache-size", "100")
            self.assertEqual(done.returncode, 0, done.stderr)
            done = laboratory.ask(daemon, "full", "set", "proxy_password", "open-sesame")
            self.assertEqual(done.returncode, 0, done.stderr)
            for verb in ("get", "settings"):
                for options in ((), ("--json",)):
                    shown = laboratory.ask(daemon, "reader", *options, verb).stdout
                    self.assertNotIn("open-sesame", shown)
                    self.assertIn("(hidden)", shown)
                    self.assertNotIn(str(laboratory.folder / "server.key"), shown)
            self.assertIn("open-sesame", laboratory.ask(daemon, "full", "get", "proxy_password").stdout)
            self.assertNotIn("open-sesame", daemon.log_text(), "nor does an event tell")
            self.assertEqual(laboratory.ask(daemon, "full", "shutdown").returncode, 0)
            self.assertEqual(daemon.process.wait(30), 0)

    def test_a_client_that_is_not_on_the_list_or_errs_is_refused_in_silence(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon()
            for who, server in (("stranger", "server"), ("full", "stranger"), (None, None)):
                with self.subTest(who=who, server=server):
                    done = laboratory.ask(daemon, who, "ping", server=server)
                    laboratory.assert_refused(self, done)
                    self.assertIn("key", done.stderr)
                    done = laboratory.ask(daemon, who, "events", "--follow", server=server)
                    laboratory.assert_refused(self, done)
            self.assertIn(f"its key {laboratory.keys['stranger']} is not in the list", daemon.log_text())
            self.assertEqual(laboratory.ask(daemon, "full", "ping").returncode, 0)

    def test_keys_for_a_daemon_that_uses_none(self):
        with KeyedLab() as laboratory:
            daemon = lab.Daemon(laboratory, "plain")
            daemon.endpoint = f"tcp://127.0.0.1:{free_port()}"
            daemon.write_config()
            laboratory.daemons.append(daemon)
            daemon.start()
            laboratory.assert_refused(self, laboratory.ask(daemon, "full", "ping"))
            self.assertEqual(laboratory.ask(daemon, None, "ping").returncode, 0)

    def test_events_come_to_those_on_the_list(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon()
            reader = subprocess.Popen(
                [lab.BIN / "ezioctl", "--json", "--endpoint", daemon.endpoint, "--key", laboratory.folder / "reader.key",
                 "--server-key", laboratory.keys["server"], "events", "--filter", "setting-changed", "--timeout", "60"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            laboratory.undo.callback(reader.kill)
            values = iter(range(100, 1000))

            def changed():
                done = laboratory.ask(daemon, "full", "set", "cache-size", next(values))
                self.assertEqual(done.returncode, 0, done.stderr)
                return reader.poll() is not None
            wait_until(changed, "an event arrives")
            out, err = reader.communicate()
            self.assertEqual(reader.returncode, 0, err)
            self.assertEqual(json.loads(out)["key"], "cache-size")

    def test_the_list_is_read_again(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon()
            laboratory.assert_refused(self, laboratory.ask(daemon, "third", "ping"))
            laboratory.allow("third", "reader")
            self.assertEqual(laboratory.ask(daemon, "full", "reload").returncode, 0)
            self.assertEqual(laboratory.ask(daemon, "third", "ping").returncode, 0)
            laboratory.assert_refused(self, laboratory.ask(daemon, "full", "ping"))
            laboratory.allow("full")
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: laboratory.ask(daemon, "full", "ping").returncode == 0, "SIGHUP lets it in again")
            laboratory.list.write_text("rubbish\n", encoding="ascii")
            done = laboratory.ask(daemon, "full", "reload")
            self.assertEqual(done.returncode, 1)
            self.assertIn("clients:1", done.stderr)
            self.assertEqual(laboratory.ask(daemon, "full", "ping").returncode, 0, "the old list stays in force")

    def test_hundreds_of_idle_connections_do_not_disturb(self):
        with KeyedLab() as laboratory, contextlib.ExitStack() as open_ones:
            daemon = laboratory.keyed_daemon()
            place = ("127.0.0.1", int(daemon.endpoint.rsplit(":", 1)[1]))
            events = ("127.0.0.1", int(daemon.settings["control"]["events-endpoint"].rsplit(":", 1)[1]))
            greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)
            sockets = []
            for index in range(600):
                one = open_ones.enter_context(socket.create_connection(events if index % 3 == 0 else place, timeout=10))
                if index % 2:
                    one.sendall(greeting)
                if index % 4 == 3:
                    one.sendall(b"\x04\xc8\x05HELLO" + os.urandom(194))
                sockets.append(one)
            self.assertEqual(laboratory.ask(daemon, "full", "status").returncode, 0)
            for one in sockets:
                one.settimeout(30)
                with contextlib.suppress(ConnectionResetError):
                    while one.recv(4096):
                        pass
            self.assertEqual(laboratory.ask(daemon, "full", "status").returncode, 0)
            self.assertLess(len(os.listdir(f"/proc/{daemon.process.pid}/fd")), 200, "they are closed on this side too")


class Starting(unittest.TestCase):
    def refusal(self, laboratory, text):
        """One line on standard error, from the check and from the start."""
        path = laboratory.folder / "bad.toml"
        path.write_text(text, encoding="utf-8")
        seen = []
        for option in (["--check-config"], []):
            done = subprocess.run([lab.BIN / "eziod", "-c", path, *option], capture_output=True, text=True, check=False,
                                  timeout=30, stdin=subprocess.DEVNULL)
            self.assertNotEqual(done.returncode, 0)
            seen.append([line for line in done.stderr.splitlines() if "info" not in line])
        for lines in seen:
            self.assertEqual(len(lines), 1, seen)
        return seen[0][0]

    def test_tcp_beyond_loopback_without_keys_is_refused(self):
        with Lab() as laboratory:
            for address in ("0.0.0.0", "*", "[::]", "10.1.2.3"):
                with self.subTest(address):
                    line = self.refusal(laboratory, f'[control]\nendpoint = "tcp://{address}:5555"\n')
                    self.assertIn(":2: control.endpoint", line)
                    self.assertIn("curve-secret-key", line)

    def test_key_files_that_others_can_use_are_refused(self):
        with KeyedLab() as laboratory:
            secret = laboratory.folder / "server.key"
            text = (f'[control]\nendpoint = "ipc://{laboratory.folder}/c"\nevents-endpoint = "ipc://{laboratory.folder}/e"\n'
                    f'curve-secret-key = "{secret}"\nauthorized-keys = "{laboratory.list}"\n[session]\nlisten = []\n')
            secret.chmod(0o644)
            self.assertIn("chmod 600", self.refusal(laboratory, text))
            secret.chmod(0o600)
            laboratory.list.chmod(0o666)
            self.assertIn("chmod 644", self.refusal(laboratory, text))
            laboratory.list.chmod(0o644)
            laboratory.list.write_text("rubbish\n", encoding="ascii")
            self.assertIn("clients:1: ", self.refusal(laboratory, text))
            laboratory.list.unlink()
            self.assertIn("ENOENT", self.refusal(laboratory, text))


class Keygen(unittest.TestCase):
    def test_a_pair_is_written_once_and_the_secret_is_secret(self):
        with Lab() as laboratory:
            base = laboratory.folder / "desk"
            done = ezioctl("keygen", "-o", base, "--role", "full", "--name", "front desk")
            key = [line for line in pathlib.Path(f"{base}.pub").read_text("ascii").splitlines() if line[0] != "#"]
            secret = [line for line in pathlib.Path(f"{base}.key").read_text("ascii").splitlines() if line[0] != "#"]
            self.assertEqual(done.stdout, f"{key[0]} full front desk\n")
            self.assertEqual(len(secret[0]), 40)
            self.assertNotIn(secret[0], done.stdout + done.stderr)
            self.assertEqual(stat.S_IMODE(os.stat(f"{base}.key").st_mode), 0o600)
            before = pathlib.Path(f"{base}.key").read_bytes()
            again = ezioctl("keygen", "-o", base, check=False)
            self.assertEqual(again.returncode, 1)
            self.assertIn("EEXIST", again.stderr)
            self.assertEqual(pathlib.Path(f"{base}.key").read_bytes(), before)
            pathlib.Path(f"{base}.key").unlink()
            self.assertEqual(ezioctl("keygen", "-o", base, check=False).returncode, 1)
            self.assertFalse(os.path.exists(f"{base}.key"), "no half of a pair stays")

    def test_one_key_without_the_other_and_a_key_for_all_to_see(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon()
            for keys in (("--key", laboratory.folder / "full.key"), ("--server-key", laboratory.keys["server"])):
                done = ezioctl(*keys, "ping", endpoint=daemon.endpoint, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
            os.chmod(laboratory.folder / "full.key", 0o644)
            done = laboratory.ask(daemon, "full", "ping")
            self.assertEqual(done.returncode, 7)
            self.assertIn("chmod 600", done.stderr)


class IpcSocket(unittest.TestCase):
    def test_mode_and_group_decide_who_connects(self):
        need_root()
        need("setpriv")
        nobody = ["setpriv", "--reuid=65534", "--regid=65534"]
        with Lab() as laboratory:
            laboratory.folder.chmod(0o755)
            daemon = laboratory.daemon("one", {"control": {"socket-mode": "0660", "socket-group": "12345"}})
            daemon.folder.chmod(0o755)
            for path in (daemon.endpoint, daemon.events_endpoint):
                status = os.stat(path.removeprefix("ipc://"))
                self.assertEqual((stat.S_IMODE(status.st_mode), status.st_gid), (0o660, 12345))
            command = [lab.BIN / "ezioctl", "--endpoint", daemon.endpoint, "ping"]
            if subprocess.run([*nobody, "--clear-groups", "test", "-x", lab.BIN / "ezioctl"], check=False).returncode:
                self.skipTest("other users cannot run what was built here")
            inside = subprocess.run([*nobody, "--groups=12345", *command], capture_output=True, text=True, check=False)
            self.assertEqual(inside.returncode, 0, inside.stderr)
            outside = subprocess.run([*nobody, "--clear-groups", *command], capture_output=True, text=True, check=False)
            self.assertEqual(outside.returncode, 7, outside.stderr)
            self.assertIn("access denied", outside.stderr)


class Privileges(unittest.TestCase):
    def test_root_without_capabilities_images_a_block_device(self):
        need_root()
        need("setpriv")
        bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs")
        with Lab() as laboratory:
            source = laboratory.random_image("source", 8 << 20)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            device = laboratory.loop_of("target.img", 8 << 20)
            daemons = []
            for name in ("seeder", "target"):
                daemon = lab.Daemon(laboratory, name)
                laboratory.daemons.append(daemon)
                daemons.append(daemon.start(prefix=bare))
                status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
                self.assertIn("CapEff:\t0000000000000000", status)
            seeder, target = daemons
            seeder.add(torrent, source, "--seed")
            target.add(torrent, device, "--peer", seeder.peer)
            target.wait_synced()
            target.ctl("set", "cache-size", "100", "--save")
            self.assertEqual(target.torrent()["error"], None)
            self.assertEqual((target.stop(), seeder.stop()), (0, 0))
            lab.sh("cmp", source, device)


if __name__ == "__main__":
    lab.run(__import__("__main__"))
