"""A disk in memory whose faults the test chooses: served over NBD, mounted by nbdfuse, and made a block device by a loop device.

What it holds is known at three places: what a reader is told now, what would survive a power cut, and the writes in between.
Thread-safe: one thread serves, the test's thread plays.
"""
import random
import socket
import struct
import subprocess
import threading

from lab import need, need_root, wait_until

SECTOR = 512
EIO, ENOSPC = 5, 28

_MAGIC, _OPTION, _OPTION_REPLY, _REQUEST, _REPLY = (
    b"NBDMAGIC", b"IHAVEOPT", 0x3e889045565a9, 0x25609513, 0x67446698)
_OPT_EXPORT, _OPT_ABORT, _OPT_INFO, _OPT_GO = 1, 2, 6, 7
_REP_ACK, _REP_INFO, _REP_UNSUPPORTED = 1, 3, 0x80000001
_FLAGS = 1 | 4 | 8  # has flags, flush, FUA
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_FUA = 1


class FaultyDisk:
    """A block device (`device`) of size_bytes, all zeros at first. Ends with the laboratory."""

    def __init__(self, laboratory, name, size_bytes, seed):
        need_root()
        need("nbdfuse")
        self.lab, self.name, self.size_bytes = laboratory, name, size_bytes
        self.random = random.Random(seed)
        self.lock = threading.Condition()
        self.content = bytearray(size_bytes)
        self.durable = bytearray(size_bytes)
        self.unsynced = []
        self.writes = self.reads = self.flushes = self.played = self.hung = 0
        self.faults = {}  # (kind, number of the call of this kind) -> fault
        self.always = {}
        self.bad_ranges = []
        self.is_off = self.is_hanging = False
        self.failure = None
        self.folder = laboratory.folder / name
        self.folder.mkdir()
        self.socket_path = self.folder / "socket"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket_path))
        self.listener.listen(4)
        laboratory.undo.callback(self.listener.close)
        threading.Thread(target=self._accept, daemon=True).start()
        point = self.folder / "mount"
        point.mkdir()
        self.fuse = laboratory.spawn("nbdfuse", point / "nbd", "--unix", self.socket_path)
        laboratory.undo.callback(subprocess.run, ["fusermount3", "-u", point], check=False, capture_output=True)
        wait_until(lambda: (point / "nbd").exists() or self.fuse.poll() is not None, "nbdfuse", 15)
        if self.fuse.poll() is not None:
            raise AssertionError(f"nbdfuse ended with {self.fuse.returncode}")
        self.file = point / "nbd"
        # Direct, or the page cache of the FUSE file would answer for the disk.
        self.device = laboratory.loop(self.file, "--direct-io=on")
        # What hangs would hang the clean-up too.
        laboratory.undo.callback(self.go_on)

    # What the test plays.

    def fail_write(self, number, os_errno=EIO):
        """The number'th write from now on (0: the next one) fails, and leaves nothing."""
        with self.lock:
            self.faults[_WRITE, self.writes + number] = ("fail", os_errno)

    def lose_write(self, number):
        """The number'th write from now on is answered with success and leaves nothing."""
        with self.lock:
            self.faults[_WRITE, self.writes + number] = ("lose", 0)

    def fail_flush(self, number):
        """The number'th flush from now on fails once, and what it should have kept is gone for good."""
        with self.lock:
            self.faults[_FLUSH, self.flushes + number] = ("fail", EIO)

    def fail_read(self, number):
        with self.lock:
            self.faults[_READ, self.reads + number] = ("fail", EIO)

    def fail_reads_in(self, *ranges):
        """Every read that touches one of these (offset, length) fails from now on."""
        with self.lock:
            self.bad_ranges += ranges

    def always_fail(self, kind, os_errno=EIO):
        """Every call of this kind ("read", "write" or "flush") fails from now on."""
        with self.lock:
            self.always[{"read": _READ, "write": _WRITE, "flush": _FLUSH}[kind]] = ("fail", os_errno)

    def be_well(self):
        """No fault from now on."""
        with self.lock:
            self.faults.clear()
            self.always.clear()
            self.bad_ranges.clear()

    def hang(self):
        """No call is answered until go_on()."""
        with self.lock:
            self.is_hanging = True

    def go_on(self):
        with self.lock:
            self.is_hanging = False
            self.lock.notify_all()

    def cut_power(self):
        """Of the writes since the last flush each is kept, lost or torn between two sectors, as the seed says. What comes before
        power_on() is answered and forgotten. The number of writes that were not kept whole."""
        with self.lock:
            lost = 0
            survivor = bytearray(self.durable)
            for offset, data in self.unsynced:
                fate = self.random.randrange(3)
                kept = (len(data), 0, self.random.randrange(len(data) // SECTOR + 1) * SECTOR)[fate]
                lost += kept < len(data)
                survivor[offset:offset + kept] = data[:kept]
            self.unsynced.clear()
            self.durable = survivor
            self.is_off = True
            return lost

    def power_on(self):
        with self.lock:
            self.content = bytearray(self.durable)
            self.unsynced.clear()
            self.is_off = False

    def bytes_now(self, offset=0, length=None):
        with self.lock:
            return bytes(self.content[offset:self.size_bytes if length is None else offset + length])

    def durable_bytes(self, offset=0, length=None):
        """What a power cut at this moment is sure to leave."""
        with self.lock:
            return bytes(self.durable[offset:self.size_bytes if length is None else offset + length])

    # What the kernel asks.

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as stream:
                if self._negotiate(connection, stream):
                    while self._answer(connection, stream):
                        pass
        except (EOFError, OSError):
            pass  # the client is gone, which ends the connection as it should
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
            raise

    @staticmethod
    def _take(stream, length):
        data = stream.read(length)
        if len(data) < length:
            raise EOFError
        return data

    def _negotiate(self, connection, stream):
        connection.sendall(_MAGIC + _OPTION + struct.pack(">H", 3))
        self._take(stream, 4)
        while True:
            magic, option, length = struct.unpack(">8sII", self._take(stream, 16))
            assert magic == _OPTION, magic
            self._take(stream, length)

            def reply(kind, data=b"", option=option):
                connection.sendall(struct.pack(">QIII", _OPTION_REPLY, option, kind, len(data)) + data)
            if option == _OPT_EXPORT:
                connection.sendall(struct.pack(">QH", self.size_bytes, _FLAGS))
                return True
            if option in (_OPT_GO, _OPT_INFO):
                reply(_REP_INFO, struct.pack(">HQH", 0, self.size_bytes, _FLAGS))
                reply(_REP_ACK)
                if option == _OPT_GO:
                    return True
            elif option == _OPT_ABORT:
                reply(_REP_ACK)
                return False
            else:
                reply(_REP_UNSUPPORTED)

    def _answer(self, connection, stream):
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", self._take(stream, 28))
        assert magic == _REQUEST, magic
        if kind == _DISCONNECT:
            return False
        data = self._take(stream, length) if kind == _WRITE else b""
        os_errno, answer = self._carry_out(kind, flags, offset, length, data)
        connection.sendall(struct.pack(">IIQ", _REPLY, os_errno, handle) + (b"" if os_errno else answer))
        return True

    def _fault(self, kind):
        number = {_READ: self.reads, _WRITE: self.writes, _FLUSH: self.flushes}[kind]
        self.reads += kind == _READ
        self.writes += kind == _WRITE
        self.flushes += kind == _FLUSH
        fault = self.faults.pop((kind, number), None) or self.always.get(kind)
        self.played += fault is not None
        return fault or (None, 0)

    def _carry_out(self, kind, flags, offset, length, data):
        with self.lock:
            self.hung += self.is_hanging
            self.lock.wait_for(lambda: not self.is_hanging)
            if self.is_off:
                return 0, bytes(self.content[offset:offset + length]) if kind == _READ else b""
            what, os_errno = self._fault(kind)
            if kind == _READ:
                if any(at < offset + length and offset < at + size for at, size in self.bad_ranges):
                    self.played += 1
                    os_errno = EIO
                return os_errno, bytes(self.content[offset:offset + length])
            if kind == _WRITE and what is None:
                self.content[offset:offset + length] = data
                self.unsynced.append((offset, data))
            if kind == _FLUSH and what == "fail":
                self.content = bytearray(self.durable)
                self.unsynced.clear()
            if what is None and (kind == _FLUSH or flags & _FUA):
                # A write with FUA keeps the others too, which is more than it must.
                for at, unsynced in self.unsynced:
                    self.durable[at:at + len(unsynced)] = unsynced
                self.unsynced.clear()
            return os_errno, b""
