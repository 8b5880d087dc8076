"""Which pieces the nodes of a swarm have: a peer that only listens to their bitfields and have messages."""
import select
import socket
import struct
import threading

from netns import within_namespace

HANDSHAKE_BYTES = 68


class PieceWatch:
    def __init__(self, namespace, scene, addresses, port):
        self.pieces = scene.piece_count
        self.guard = threading.Lock()
        self.have = {address: set() for address in addresses}
        self.stop = threading.Event()
        hello = b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(scene.info_hash) + b"-LW0001-" + b"listens only"
        wires = {}
        with within_namespace(namespace):
            for address in addresses:
                wire = socket.create_connection((address, port), 10)
                wire.sendall(hello)
                wires[wire] = address
        self.thread = threading.Thread(target=self.listen, args=(wires,), daemon=True)
        self.thread.start()

    def listen(self, wires):
        heard = {wire: b"" for wire in wires}
        greeted = set()
        while heard and not self.stop.is_set():
            for wire in select.select(list(heard), [], [], 0.1)[0]:
                try:
                    data = wire.recv(1 << 16)
                except OSError:
                    data = b""
                if not data:
                    heard.pop(wire)
                    with self.guard:
                        self.have.pop(wires[wire])
                    continue
                heard[wire] += data
                if wire not in greeted:
                    if len(heard[wire]) < HANDSHAKE_BYTES:
                        continue
                    heard[wire] = heard[wire][HANDSHAKE_BYTES:]
                    greeted.add(wire)
                heard[wire] = self.read(wires[wire], heard[wire])
        for wire in wires:
            wire.close()

    def read(self, address, data):
        """Takes whole messages off data; what is left of it."""
        while len(data) >= 4:
            length = struct.unpack(">I", data[:4])[0]
            if len(data) < 4 + length:
                break
            body, data = data[4:4 + length], data[4 + length:]
            with self.guard:
                if body[:1] == b"\x04":
                    self.have[address].add(struct.unpack(">I", body[1:5])[0])
                elif body[:1] == b"\x05":
                    bits = body[1:]
                    self.have[address] |= {i for i in range(self.pieces) if bits[i // 8] & (0x80 >> i % 8)}
        return data

    def has_all(self):
        """Does each piece exist on one of the nodes?"""
        with self.guard:
            return len(set().union(*self.have.values())) == self.pieces

    def close(self):
        self.stop.set()
        self.thread.join()
