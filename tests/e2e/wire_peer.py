"""A BitTorrent peer that does what a test says and nothing else: which block it asks for, and when, and what it reads.

What a pair of daemons does depends on how fast the machine is at that moment; what two of these do does not.
"""
import hashlib
import select
import socket
import struct

import lab

BLOCK = 16 << 10
CHOKE, UNCHOKE, INTERESTED, HAVE, REQUEST, PIECE, SUGGEST, HAVE_ALL, HAVE_NONE, REJECT, EXTENDED = 0, 1, 2, 4, 6, 7, 13, 14, 15, 16, 20
FAST_EXTENSION = bytes(7) + b"\x04"
FAST_AND_EXTENDED = bytes(5) + b"\x10\x00\x04"
#: Ours, under which a seeder says what it does not have (BEP 54).
DONT_HAVE = 9
ROSTER = 10


def info_hash_of(torrent):
    return bytes.fromhex(lab.inspect(torrent)["info_hash"])


class WirePeer:
    """An interested peer of a seeder that has nothing itself. The number makes its peer id. A fast one knows the messages of BEP 6;
    what it is suggested adds up in its list. One that hears what is missing knows BEP 6 and 54; missing is what it has been told so far.
    One that is directed speaks as a node of ours: shown is what the source told it to take."""

    def __init__(self, seeder, info_hash, number, receive_buffer_bytes=None, is_fast=False, hears_missing=False, is_directed=False):
        self.suggested, self.shown = [], []
        self.missing = set()
        self.haves_all = 0
        messages = ({"lt_donthave": DONT_HAVE} if hears_missing else {}) | ({"ez_roster": ROSTER} if is_directed else {})
        is_fast = is_fast or bool(messages)
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(lab.DEADLINE)
        self.socket.connect(("127.0.0.1", seeder.port))
        name = hashlib.sha1(str(number).encode()).digest()
        reserved = FAST_AND_EXTENDED if messages else FAST_EXTENSION if is_fast else bytes(8)
        self.socket.sendall(b"\x13BitTorrent protocol" + reserved + info_hash + name)
        self.read(68)
        if is_fast:
            self.send(HAVE_NONE)
        if messages:
            self.send(EXTENDED, b"\x00" + lab.bencode({"m": messages}))
        self.send(INTERESTED)

    def send(self, kind, payload=b""):
        self.socket.sendall(struct.pack(">IB", 1 + len(payload), kind) + payload)

    def read(self, count):
        data = bytearray(count)
        left = memoryview(data)
        while left:
            part = self.socket.recv_into(left)
            if not part:
                raise AssertionError("the seeder closed the connection")
            left = left[part:]
        return data

    def message(self):
        """(kind, payload) of the next message that is no keep-alive."""
        length = 0
        while not length:
            length, = struct.unpack(">I", self.read(4))
        message = self.read(length)
        if message[0] == SUGGEST:
            self.suggested.append(struct.unpack(">I", message[1:])[0])
        if message[0] == EXTENDED and message[1] == DONT_HAVE:
            self.missing.add(struct.unpack(">I", message[2:])[0])
        if message[0] == HAVE:
            piece, = struct.unpack(">I", message[1:])
            self.missing.discard(piece)
            self.shown.append(piece)
        if message[0] == HAVE_ALL:
            self.haves_all += 1
        return message[0], memoryview(message)[1:]

    @staticmethod
    def wait_any(peers):
        """Until one of them has a message to read."""
        if not select.select([peer.socket for peer in peers], [], [], lab.DEADLINE)[0]:
            raise AssertionError("the seeder says nothing any more")

    def take_messages(self):
        """Reads what has arrived, while no block is due."""
        while select.select([self.socket], [], [], 0)[0]:
            self.message()

    @property
    def is_free(self):
        """May one that is directed take anything? The first "have all" is what any seed says, and does not count."""
        return self.haves_all > 1

    def wait_unchoked(self):
        while self.message()[0] != UNCHOKE:
            pass

    def request(self, piece, offset, length=BLOCK):
        self.send(REQUEST, struct.pack(">III", piece, offset, length))

    def request_together(self, piece, offsets, length=BLOCK):
        """In one segment, so that the last request has come before the first is answered."""
        self.socket.sendall(b"".join(struct.pack(">IBIII", 13, REQUEST, piece, offset, length) for offset in offsets))

    def have(self, piece):
        self.send(HAVE, struct.pack(">I", piece))

    def fetch(self, piece, piece_bytes):
        """All of a piece, asked for at once; the peer has it then, and says so."""
        for offset in range(0, piece_bytes, BLOCK):
            self.request(piece, offset, min(BLOCK, piece_bytes - offset))
        content, left = bytearray(piece_bytes), piece_bytes
        while left:
            kind, payload = self.message()
            if kind == CHOKE:
                raise AssertionError("the seeder choked the peer")
            if kind != PIECE:
                continue
            number, offset = struct.unpack(">II", payload[:8])
            if number != piece:
                raise AssertionError(f"piece {number} came instead of piece {piece}")
            content[offset:offset + len(payload) - 8] = payload[8:]
            left -= len(payload) - 8
        self.have(piece)
        return content

    def close(self):
        self.socket.close()
