"""Torrents that must be refused, by name. Made of a good one of two extents."""
import copy
import hashlib

from lab import bencode

PIECE = 16 << 10
MAX_BYTES = 16 << 20


def good():
    return {"info": {"name": "disk", "piece length": PIECE, "pieces": hashlib.sha1(bytes(PIECE)).digest() * 2,
                     "files": [{"path": ["0"], "length": PIECE}, {"path": ["100000"], "length": PIECE}]}}


def hostile():
    """(what, bytes of the file) of each."""
    whole = bencode(good())
    yield "empty", b""
    yield "truncated", whole[:len(whole) // 2]
    yield "not bencoded", b"hello, world"
    yield "a list", b"le"
    yield "no info", b"de"
    yield "info is a list", b"d4:infolee"
    yield "nested too deep", b"l" * 100_000
    yield "nested too deep in info", b"d4:info" + b"l" * 100_000
    yield "a string longer than the file", b"d4:info99999999999:x"
    yield "larger than any torrent", b"d" * (MAX_BYTES + 1)

    def spoiled(**changes):
        torrent = copy.deepcopy(good())
        for key, value in changes.items():
            torrent["info"][key.replace("_", " ")] = value
        return bencode(torrent)

    def second(**changes):
        torrent = copy.deepcopy(good())
        torrent["info"]["files"][1].update(changes)
        return bencode(torrent)

    for what, path in (("a name that is no offset", ["vmlinuz"]), ("33 digits", ["0" * 33]), ("a sign", ["-1000"]),
                       ("offset 2^63", ["8000000000000000"]), ("an extent beyond 2^63", ["7fffffffffffffff"]),
                       ("overlapping extents", ["1000"]), ("the same offset twice", ["0"]), ("path traversal", ["..", "..", "0"]),
                       ("a separator in a name", ["/dev/sda"]), ("an empty name", [""]), ("no path", []),
                       ("a terminal's escape in a name", ["\x1b[2J"]), ("lines in a name", ["0\n0\n0"])):
        yield what, second(path=path)
    for what, length in (("negative length", -1), ("length 2^62", 1 << 62), ("length beyond 64 bits", 10**30),
                         ("length is a text", "16384")):
        yield what, second(length=length)
    yield "a symbolic link", second(attr="l")
    yield "no files", spoiled(files=[])
    yield "files that cover nothing", spoiled(files=[{"path": ["0"], "length": 0}], pieces=b"")
    yield "padding alone", spoiled(files=[{"path": ["0"], "length": 2 * PIECE, "attr": "p"}])
    yield "no hashes", spoiled(pieces=b"")
    yield "one hash too few", spoiled(pieces=bytes(20))
    yield "hashes cut", spoiled(pieces=bytes(39))
    for what, length in (("piece length 0", 0), ("piece length negative", -PIECE), ("piece length no power of two", 48 << 10),
                         ("piece length 512 MiB", 512 << 20), ("piece length 2^62", 1 << 62)):
        yield what, spoiled(piece_length=length)
