"""What a roll-out moves and where to, and what is planned for single nodes."""
import dataclasses
import json
import subprocess

from lab import ezioctl, inspect
from peers import overwrite


@dataclasses.dataclass
class Fate:
    """What happens to a node, and when: after seconds, at a share of the median's progress, or when a full copy exists."""

    kind: str
    text: str
    after_s: float = None
    share: float = None
    rate_mbit: float = None
    is_done: bool = False

    # "corrupt" is a node that serves wrong bytes; "source-gone" ends the source (node 0) once the others have all pieces; the target
    # of a "failing-disk" answers every write with EIO from a moment on.
    KINDS = ("slow", "slow-disk", "failing-disk", "late", "kill", "restart", "hang", "corrupt", "source-gone")

    @property
    def is_to_finish(self):
        return self.kind not in ("kill", "hang", "corrupt", "failing-disk")

    def is_due(self, seconds, progress, has_full_copy):
        if self.is_done or self.kind in ("slow", "slow-disk", "corrupt"):
            return False
        if self.kind == "source-gone":
            return progress() > 0.5 and has_full_copy()
        if self.after_s is not None:
            return seconds >= self.after_s
        return progress() >= self.share


# What is on a target before. Its memory has been touched then: on a virtual machine the first touch of a page costs several times what
# writing it does, and all nodes share the processors.
FILLER = 0x5a
TOPOLOGIES = ("mesh", "chain", "tree")


def parents(topology, index, nodes):
    """From whom node `index` of 1 to `nodes` is to have its bytes; 0 is the source. "tree" is two binary trees of all nodes, of which the
    second has them in the opposite order, so that who passes on in one of them only receives in the other."""
    if topology == "mesh":
        return [0]
    if topology == "chain":
        return [index - 1]
    above = (nodes + 1 - index) // 2
    return sorted({index // 2, nodes + 1 - above if above else 0})


def told_of(topology, index, nodes):
    """Whom a node is told of: of its parents and those that it is a parent of those that begin before it, so that they are there."""
    children = [other for other in range(1, index) if index in parents(topology, other, nodes)]
    return sorted({parent for parent in parents(topology, index, nodes) if parent < index}.union(children))


class Scene:
    """An image of random bytes on tmpfs, its torrent as ezioctl makes it, and one place for each node."""

    def __init__(self, lab, size_bytes, piece_bytes=None, trackers=()):
        self.lab, self.trackers = lab, list(trackers)
        self.source = lab.random_image("source.img", size_bytes)
        options = ["--fs", "raw", *(["--piece-size", piece_bytes] if piece_bytes else [])]
        self.torrent = lab.torrent(self.source, "disk.torrent", *options)
        facts = inspect(self.torrent)
        self.payload_bytes, self.piece_count = facts["covered_bytes"], facts["pieces"]
        self.piece_bytes, self.info_hash = facts["piece_bytes"], facts["info_hash"]
        self.places = {}

    def place(self, index, fate=None):
        """A fresh target, whose bytes are read back at the end."""
        if index not in self.places:
            size = self.source.stat().st_size
            if fate and fate.kind == "slow-disk":
                self.places[index] = self.lab.nbd(f"slow{index}", size, "--filter=rate", f"rate={int(fate.rate_mbit * 1000)}K")
            elif fate and fate.kind == "failing-disk":
                self.places[index] = self.lab.nbd(f"failing{index}", size, "--filter=error", "error-pwrite=EIO",
                                                  "error-pwrite-rate=100%", f"error-file={self.switch(index)}")
            else:
                self.places[index] = self.lab.image(f"node{index}.img", size)
                overwrite(self.places[index], FILLER)
        return self.places[index]

    def switch(self, index):
        """The file whose being there makes the writes of a failing disk fail."""
        return self.lab.folder / f"fail{index}"

    def spoiled(self):
        """A copy of the image with one byte wrong in each eighth piece."""
        path = self.lab.folder / "spoiled.img"
        data = bytearray(self.source.read_bytes())
        for at in range(0, len(data), 8 * self.piece_bytes):
            data[at] ^= 1
        path.write_bytes(data)
        return path

    def differs(self, index):
        """What is wrong with the bytes of a node; empty if nothing is."""
        done = subprocess.run(["cmp", "--", self.source, self.places[index]], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def clear(self):
        """Nothing is left of the last roll-out. The places stay, but for those that are no plain files."""
        for index, path in list(self.places.items()):
            if path.is_file() and path.parent == self.lab.folder:
                overwrite(path, FILLER)
            else:
                del self.places[index]
