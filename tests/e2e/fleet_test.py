"""Many daemons at once: `ezioctl fleet` against real ones, over ipc and over tcp with keys."""
import json
import unittest

import lab
from access_test import KeyedLab
from lab import BIN, MIB, Lab, ezioctl, free_port, need_root, wait_until
from screen_terminal import ENTER, Terminal


def fleet(laboratory, what, nodes, *options, seconds=120):
    """The exit status, the document and standard error of one look at the nodes, {name: endpoint}."""
    path = laboratory.folder / "nodes"
    path.write_text("# a fleet\n" + "".join(f"{name} {endpoint}\n" for name, endpoint in nodes.items()), encoding="ascii")
    done = ezioctl("--json", "fleet", what, "--nodes", path, *options, check=False, seconds=seconds)
    return done.returncode, json.loads(done.stdout), done.stderr


class Fleet(unittest.TestCase):
    def test_wait_for_all_of_them(self):
        with Lab() as laboratory:
            source = laboratory.random_image("original", 8 * MIB)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            daemons = {name: laboratory.daemon(name) for name in ("source", "a", "b", "c")}
            nodes = {name: daemon.endpoint for name, daemon in daemons.items()}
            daemons["source"].add(torrent, source, "--seed")
            status, document, _ = fleet(laboratory, "status", nodes)
            self.assertEqual(status, 0)
            self.assertEqual([node["name"] for node in document["nodes"][:3]], ["a", "b", "c"])
            self.assertEqual(document["totals"]["standings"]["empty"], 3)
            for name in "abc":
                image = laboratory.image(f"{name}.img", 8 * MIB)
                daemons[name].add(torrent, image, "--peer", daemons["source"].peer)
            status, document, errors = fleet(laboratory, "wait", nodes, "--for", "synced", "--timeout", lab.DEADLINE)
            self.assertEqual((status, errors, document["reached"]), (0, "", True))
            self.assertEqual(document["totals"]["standings"]["done"], 4)
            self.assertEqual(document["totals"]["done_bytes"], 3 * 8 * MIB)
            for name in "abc":
                self.assertTrue(document["verdicts"][name]["reached"])
                self.assertEqual(source.read_bytes(), (laboratory.folder / f"{name}.img").read_bytes())
            # What was uploaded in the last second may not be counted yet.
            document = wait_until(lambda: self.whole_upload(laboratory, nodes), "the source's upload is counted")
            source_row = next(node for node in document["nodes"] if node["source"])
            self.assertEqual(source_row["name"], "source")
            self.assertEqual(document["totals"]["source_size_bytes"], 8 * MIB)

    def whole_upload(self, laboratory, nodes):
        _, document, _ = fleet(laboratory, "status", nodes)
        return document if document["totals"]["source_uploaded_bytes"] >= 8 * MIB else None

    def test_one_in_error_one_unreachable(self):
        need_root()
        with Lab() as laboratory:
            source = laboratory.random_image("original", 16 * MIB)
            torrent = laboratory.torrent(source, None, "--fs", "raw")
            daemons = {name: laboratory.daemon(name) for name in ("source", "good", "full", "off")}
            nodes = {name: daemon.endpoint for name, daemon in daemons.items()}
            daemons["source"].add(torrent, source, "--seed")
            small = laboratory.mount("tmpfs", "small", "-t", "tmpfs", "-o", "size=4m")
            with open(small / "image", "wb") as file:
                file.truncate(16 * MIB)
            daemons["full"].add(torrent, small / "image", "--peer", daemons["source"].peer)
            daemons["good"].add(torrent, laboratory.image("image", 16 * MIB), "--peer", daemons["source"].peer)
            daemons["off"].stop()
            status, document, errors = fleet(laboratory, "wait", nodes, "--for", "synced", "--grace", "1",
                                             "--timeout", lab.DEADLINE)
            self.assertEqual(status, 4, errors)
            self.assertEqual([node["name"] for node in document["nodes"][:2]], ["full", "off"])
            self.assertEqual(document["nodes"][0]["error"]["context"]["errno_name"], "ENOSPC")
            self.assertEqual(document["nodes"][1]["exit_status"], 7)
            self.assertTrue(document["verdicts"]["good"]["reached"])
            self.assertFalse(document["verdicts"]["full"]["reached"])
            self.assertRegex(errors, r"(?m)^ezioctl: full: \S+ .*ENOSPC")
            self.assertRegex(errors, r"(?m)^ezioctl: off: no daemon at ")
            del nodes["full"]
            status, document, _ = fleet(laboratory, "status", nodes)
            self.assertEqual(status, 7)
            self.assertEqual(document["nodes"][0]["name"], "off")


class Top(unittest.TestCase):
    def test_on_a_terminal(self):
        with Lab() as laboratory:
            daemon = laboratory.daemon("one")
            nodes = laboratory.folder / "nodes"
            nodes.write_text(f"one {daemon.endpoint}\noff ipc://{laboratory.folder}/nobody\n", encoding="ascii")
            with Terminal(BIN / "ezioctl", "fleet", "top", "--no-color", "--nodes", nodes) as terminal:
                text = terminal.wait_for("one   empty", "off   unreachable", "1-2 of 2")
                self.assertTrue(text.startswith("2 nodes: 1 unreachable, 1 empty\n"), text)
                self.assertTrue(terminal.bytes.startswith(ENTER), "an alternate screen without a cursor")
                daemon.stop()
                terminal.wait_for("one   unreachable", "2 nodes: 2 unreachable")
                terminal.type("q")
                self.assertEqual(terminal.wait_end(), (0, ""))
                self.assertEqual(terminal.colours, 0)


class Keys(unittest.TestCase):
    def test_over_tcp_with_keys(self):
        with KeyedLab() as laboratory:
            daemon = laboratory.keyed_daemon()
            port = daemon.endpoint.rsplit(":", 1)[1]
            nodes = {"one": f"localhost:{port} {laboratory.keys['server']}", "closed": f"127.0.0.1:{free_port()}"}
            server = ("--server-key", laboratory.folder / "server.pub")
            status, document, _ = fleet(laboratory, "status", nodes, "--key", laboratory.folder / "reader.key", *server)
            self.assertEqual(status, 7)
            rows = {node["name"]: node for node in document["nodes"]}
            self.assertEqual(rows["one"]["standing"], "empty")
            self.assertEqual(rows["closed"]["error"]["context"]["errno_name"], "ECONNREFUSED")
            del nodes["closed"]
            status, document, _ = fleet(laboratory, "status", nodes, "--key", laboratory.folder / "stranger.key")
            self.assert_refused(status, document)
            wrong = {"one": f"localhost:{port} {laboratory.keys['full']}"}
            status, document, _ = fleet(laboratory, "status", wrong, "--key", laboratory.folder / "full.key")
            self.assert_refused(status, document)
            self.assertTrue(wait_until(daemon.answers, "the daemon goes on"))

    def assert_refused(self, status, document):
        # A client that misses the end of its handshake learns nothing at all, and gives up at its deadline.
        self.assertIn((status, document["nodes"][0]["error"]["code"]), ((7, "denied"), (6, "timed-out")))


if __name__ == "__main__":
    lab.run(__import__("__main__"))
