"""How much of what peers send may wait in the kernel: a share for each connection there is."""
import os
import pathlib
import re
import socket
import sys
import unittest

import lab
from lab import MIB, Lab, need, sh, wait_until
from wire_peer import WirePeer, info_hash_of

#: With a cache-size of 64: three quarters of the blocks that are kept for receiving. Those that are connected are told of a new share when
#: theirs is more than a seventh above it.
POOL_BYTES = 12 * MIB
KEEP_ALIVE = bytes(4)
KIB = 1 << 10
#: asm-generic/socket.h
SO_RCVBUFFORCE = 33


def has_net_admin():
    """CAP_NET_ADMIN of the machine, with which net.core.rmem_max does not count."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, MIB)
        except PermissionError:
            return False
    return True


def rmem_max():
    path = pathlib.Path("/proc/sys/net/core/rmem_max")
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not shown in this network namespace")
    return int(path.read_text(encoding="ascii"))


class ReceiveShares(unittest.TestCase):
    def prepare(self, settings=None, prefix=()):
        need("ss")
        self.lab = self.enterContext(Lab(8))
        source = self.lab.random_image("source", 4 * MIB)
        self.torrent = self.lab.torrent(source, None, "--fs", "raw")
        self.daemon = lab.Daemon(self.lab, "target", settings)
        self.lab.daemons.append(self.daemon)
        self.daemon.start(prefix)
        self.daemon.add(self.torrent, self.lab.image("image", 4 * MIB))
        self.daemon.wait_for_state("downloading")
        self.peers = []

    def connect(self, count):
        for _ in range(count):
            self.peers.append(WirePeer(self.daemon, info_hash_of(self.torrent), f"{self.id()} {len(self.peers)}"))
            self.addCleanup(self.peers[-1].close)

    def sockets(self):
        """What ss says of the daemon's ends of connections that peers made."""
        return [line for line in sh("ss", "-tnmiHO", "state", "established", "sport", "=", f":{self.daemon.port}").splitlines() if line]

    def buffers(self):
        """Bytes that the kernel may keep for each connection: twice of what was asked for."""
        return [int(re.search(r"skmem:\(r\d+,rb(\d+),", line).group(1)) for line in self.sockets()]

    def wait_for_buffers(self, count, asked_bytes, above=0):
        """All connections have the same, which is what was asked for, or up to a part above more."""
        seen = []

        def are_set():
            seen[:] = self.buffers()
            return len(seen) == count and len(set(seen)) == 1 and asked_bytes <= seen[0] // 2 <= asked_bytes * (1 + above)
        try:
            wait_until(are_set, f"{count} connections of {asked_bytes} bytes")
        except AssertionError as late:
            raise AssertionError(f"{late}: {seen}") from None

    @staticmethod
    def expected(bytes_wanted, is_privileged=None):
        is_privileged = has_net_admin() if is_privileged is None else is_privileged
        return bytes_wanted if is_privileged else min(bytes_wanted, rmem_max())

    def test_shares_follow_the_number_of_connections(self):
        self.prepare()
        self.connect(1)
        self.wait_for_buffers(1, self.expected(MIB))
        self.connect(11)
        self.wait_for_buffers(12, self.expected(MIB))
        self.connect(12)
        self.wait_for_buffers(24, self.expected(POOL_BYTES // 24), above=1 / 7)
        while len(self.peers) > 6:
            self.peers.pop().close()
        self.wait_for_buffers(6, self.expected(MIB))

    def test_shares_follow_cache_size(self):
        self.prepare()
        self.connect(24)
        self.wait_for_buffers(24, self.expected(POOL_BYTES // 24), above=1 / 7)
        self.daemon.ctl("set", "cache-size", 256)
        self.wait_for_buffers(24, self.expected(16 * MIB // 24))
        self.daemon.ctl("set", "cache-size", 64)
        self.wait_for_buffers(24, self.expected(POOL_BYTES // 24))

    def test_the_window_of_an_open_connection_grows_to_its_share(self):
        self.prepare()
        self.connect(1)
        self.wait_for_buffers(1, self.expected(MIB))
        window = 0

        def has_grown():
            nonlocal window
            self.peers[0].socket.sendall(KEEP_ALIVE * (MIB // 4))
            window = int(re.search(r"rcv_ssthresh:(\d+)", self.sockets()[0]).group(1))
            return window > self.expected(MIB) * 3 // 4
        wait_until(has_grown, "the window has grown")
        self.assertLessEqual(window, 2 * MIB)

    def test_without_the_privilege_the_system_s_limit_counts(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root to give a privilege up; without root the other tests are of this case")
        need("setpriv")
        self.prepare(prefix=("setpriv", "--bounding-set=-net_admin"))
        self.connect(1)
        self.wait_for_buffers(1, self.expected(MIB, is_privileged=False))
        self.assertNotIn("receive buffer", self.daemon.log_text())

    def test_a_web_seed_has_a_share_too(self):
        need("ss")
        room = self.enterContext(Lab(8))
        source = room.random_image("source", 4 * MIB)
        server = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        port = server.getsockname()[1]
        torrent = room.torrent(source, None, "--fs", "raw")
        content = torrent.read_bytes()
        torrent.write_bytes(content[:-1] + lab.bencode("url-list") + lab.bencode(f"http://127.0.0.1:{port}/") + b"e")
        daemon = room.daemon("target")
        daemon.add(torrent, room.image("image", 4 * MIB))
        server.settimeout(lab.DEADLINE)
        self.addCleanup(server.accept()[0].close)

        def has_share():
            line = sh("ss", "-tnmiHO", "state", "established", "dport", "=", f":{port}")
            return f",rb{2 * self.expected(MIB)}," in line
        wait_until(has_share, "the connection to the web seed has its share")

    def test_what_the_operator_has_set_stays(self):
        self.prepare({"libtorrent": {"recv_socket_buffer_size": 99 * KIB}})
        self.connect(3)
        self.wait_for_buffers(3, 99 * KIB)
        self.daemon.ctl("set", "cache-size", 128)
        self.connect(1)
        self.wait_for_buffers(4, 99 * KIB)

    def test_what_the_operator_sets_later_is_for_later_connections(self):
        self.prepare()
        self.connect(1)
        self.wait_for_buffers(1, self.expected(MIB))
        self.daemon.ctl("set", "libtorrent.recv_socket_buffer_size", 99 * KIB)
        self.connect(1)
        wait_until(lambda: sorted(self.buffers()) == [2 * 99 * KIB, 2 * self.expected(MIB)], "a connection of each kind")


if __name__ == "__main__":
    lab.run(sys.modules[__name__])
