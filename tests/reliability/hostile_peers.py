"""Peers that lie, shout, or say nothing. Each is a thread with one connection, from an address of its own in 127/8."""
import contextlib
import socket
import struct
import threading

PROTOCOL = b"\x13BitTorrent protocol"
EXTENDED = bytes((0, 0, 0, 0, 0, 0x10, 0, 0))
UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE_MESSAGE, CANCEL, EXTENSION = 1, 2, 4, 5, 6, 7, 8, 20
BLOCK = 16 << 10
REQUEST_BODY = struct.Struct(">III")


def message(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


class HostilePeer(threading.Thread):
    """Connects to a daemon and misbehaves until the connection ends or end() is called."""

    def __init__(self, port, info_hash, pieces, kind, random):
        super().__init__(daemon=True)
        self.port, self.info_hash, self.pieces, self.kind, self.random = port, bytes.fromhex(info_hash), pieces, kind, random
        self.blocks_sent = 0
        self.has_been_heard = False
        self.connection = socket.socket()
        self.connection.settimeout(20)
        self.start()

    def end(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.join()

    def run(self):
        # The other side ends it whenever it has had enough; that is its right.
        with self.connection, contextlib.suppress(OSError, EOFError):
            self.connection.bind((f"127.0.{self.random.randrange(1, 250)}.{self.random.randrange(2, 250)}", 0))
            self.connection.connect(("127.0.0.1", self.port))
            self.has_been_heard = True
            KINDS[self.kind](self)
            while self.connection.recv(65536):
                pass

    def say(self, data):
        self.connection.sendall(data)

    def greet(self):
        # Who is sent away before its greeting is answered has done nothing.
        self.has_been_heard = False
        self.say(PROTOCOL + EXTENDED + self.info_hash + b"-XX0001-" + self.random.randbytes(12))
        self.take(68)
        self.has_been_heard = True

    def take(self, length):
        data = b""
        while len(data) < length:
            part = self.connection.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def all_bits(self):
        bits = bytearray(b"\xff" * ((self.pieces + 7) // 8))
        if self.pieces % 8:
            bits[-1] = 0xff << (8 - self.pieces % 8) & 0xff
        return bytes(bits)

    # What they do.

    def corrupt_blocks(self):
        """Has everything, and sends noise for whatever is asked."""
        self.greet()
        self.say(message(BITFIELD, self.all_bits()) + message(UNCHOKE))
        while True:
            length = struct.unpack(">I", self.take(4))[0]
            body = self.take(length)
            if length == 13 and body[0] == REQUEST:
                piece, begin, wanted = REQUEST_BODY.unpack(body[1:])
                self.say(message(PIECE_MESSAGE, struct.pack(">II", piece, begin) + self.random.randbytes(wanted)))
                self.blocks_sent += 1

    def garbage(self):
        self.say(self.random.randbytes(self.random.randrange(1, 100_000)))

    def half_a_handshake(self):
        self.say((PROTOCOL + EXTENDED + self.info_hash)[:self.random.randrange(1, 48)])

    def garbage_after_handshake(self):
        self.greet()
        self.say(self.random.randbytes(self.random.randrange(1, 100_000)))

    def oversized_messages(self):
        self.greet()
        self.say(struct.pack(">IB", self.random.choice((0xffffffff, 0x7fffffff, 0x80000000, 200 << 20)),
                             self.random.randrange(30)))
        for _ in range(64):
            self.say(self.random.randbytes(65536))

    def nothing_that_is(self):
        """Pieces, blocks and bits beyond the torrent."""
        self.greet()
        far = (self.pieces, self.pieces + 1, 0x7fffffff, 0x80000000, 0xffffffff)
        self.say(message(BITFIELD, self.random.randbytes(self.random.randrange(0, 3000))))
        for _ in range(200):
            piece = self.random.choice((0, self.pieces - 1, *far))
            begin = self.random.choice((0, 1, BLOCK, 0x7fffffff, 0xffffffff))
            length = self.random.choice((0, 1, BLOCK, BLOCK + 1, 1 << 30, 0xffffffff))
            self.say(self.random.choice((
                message(HAVE, struct.pack(">I", piece)), message(REQUEST, REQUEST_BODY.pack(piece, begin, length)),
                message(CANCEL, REQUEST_BODY.pack(piece, begin, length)), message(INTERESTED),
                message(PIECE_MESSAGE, struct.pack(">II", piece, begin) + bytes(min(length, BLOCK))))))

    def false_extensions(self):
        """Extended handshakes, metadata and peer exchange that are deep, huge or no bencoding."""
        self.greet()
        for _ in range(50):
            body = self.random.choice((
                b"d1:md6:ut_pexi1e11:ut_metadatai2e5:ut_xxi300eee", b"l" * 5000 + b"e" * 5000, b"d" * 100_000,
                b"d1:md6:ut_pexi-1ee13:metadata_sizei9223372036854775807ee", b"i" + b"9" * 5000 + b"e",
                b"d8:msg_typei0e5:piecei-1ee", b"d8:msg_typei1e5:piecei0e10:total_sizei1073741824ee" + bytes(BLOCK),
                b"d5:added60:" + self.random.randbytes(60) + b"7:added.f1:xe", self.random.randbytes(200)))
            self.say(message(EXTENSION, bytes((self.random.randrange(4),)) + body))

    def silence(self):
        """Connects and says nothing."""


KINDS = {kind.__name__: kind for kind in (
    HostilePeer.corrupt_blocks, HostilePeer.garbage, HostilePeer.half_a_handshake, HostilePeer.garbage_after_handshake,
    HostilePeer.oversized_messages, HostilePeer.nothing_that_is, HostilePeer.false_extensions, HostilePeer.silence)}
