"""What all fault campaigns share: the list of them, seeds, counting, and the common parts of a run."""
import collections
import contextlib
import dataclasses
import hashlib
import random
import time
import traceback
import typing

import lab
from lab import MIB, Lab, wait_until

PIECE = 256 << 10
#: A failure beyond these ends the campaign: it would only repeat itself.
FAILURES_MAX = 5


@dataclasses.dataclass
class Campaign:
    name: str
    fault: str
    promise: str
    unit: str  # what runs are counted in: "kills", "transfers"
    full: int  # units of a full campaign
    smoke: int  # units of the slice that CTest runs
    never: tuple  # what is counted and must stay 0
    play: typing.Callable  # of a Context


CAMPAIGNS = {}


def campaign(name, *, fault, promise, unit, full, smoke, never):
    """Registers a function of a Context as a campaign."""
    def register(play):
        assert name not in CAMPAIGNS
        CAMPAIGNS[name] = Campaign(name, fault, promise, unit, full, smoke, tuple(never), play)
        return play
    return register


class Context:
    """One campaign that goes on: its seed, what it has counted, what went wrong."""

    def __init__(self, chosen, units, seed):
        self.campaign, self.units, self.seed = chosen, units, seed
        self.done = 0  # units
        self.runs = 0
        self.bad = collections.Counter({name: 0 for name in chosen.never})
        self.seen = collections.Counter()
        self.most = {}
        self.failures = []
        self.began = time.monotonic()

    def each_run(self, only=None):
        """Yields the random source of each run, until enough units are done. `only` repeats that run alone."""
        while (self.done < self.units and len(self.failures) < FAILURES_MAX) if only is None else self.runs == 0:
            number = self.runs if only is None else only
            self.runs += 1
            yield random.Random(f"{self.seed}/{self.campaign.name}/{number}")

    def never(self, what, happened, story=""):
        """Counts what must not happen. Goes on, so that the number is known."""
        assert what in self.bad, what
        if happened:
            self.bad[what] += 1
            self.failures.append(f"run {self.runs - 1}: {what}: {story}")
        return not happened

    def largest(self, what, value):
        self.most[what] = max(self.most.get(what, 0), value)

    @contextlib.contextmanager
    def guarded(self, what):
        """A run in which any failed expectation counts as `what`, with its story."""
        try:
            yield
        except (AssertionError, lab.Failed, StopIteration, OSError) as failure:
            text = "".join(traceback.format_exception_only(type(failure), failure)).strip()
            place = traceback.extract_tb(failure.__traceback__)[-1]
            self.never(what, True, f"{text} ({place.name}:{place.lineno})")

    def result(self):
        return {"name": self.campaign.name, "unit": self.campaign.unit, "units": self.done, "runs": self.runs,
                "seed": self.seed, "never": dict(self.bad), "seen": dict(self.seen), "most": self.most,
                "failures": self.failures, "seconds": round(time.monotonic() - self.began, 1)}


class Swarm:
    """A seeder of one random image, for all runs of a campaign."""

    def __init__(self, size_bytes, limit=0, seeder_settings=None):
        self.lab = Lab()
        self.size_bytes = size_bytes
        try:
            self.source = self.lab.random_image("source", size_bytes)
            self.bytes = self.source.read_bytes()
            self.torrent = self.lab.torrent(self.source, None, "--fs", "raw", "--piece-size", "256K")
            settings = {"session": {"upload-limit": limit}}
            for table, keys in (seeder_settings or {}).items():
                settings.setdefault(table, {}).update(keys)
            self.seeder = self.lab.daemon("seeder", settings)
            self.seeder.add(self.torrent, self.source, "--seed")
            self.seeder.wait_for_state("seeding")
        except BaseException:
            self.lab.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    def limit(self, rate):
        self.seeder.ctl("set", "upload-limit", rate)


def is_right(swarm, path):
    """Whether a target holds the source, byte for byte, by its own word and not that of the page cache of ours."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        left = swarm.size_bytes
        while left:
            block = file.read(min(MIB, left))
            if not block:
                return False
            digest.update(block)
            left -= len(block)
    return digest.digest() == hashlib.sha256(swarm.bytes).digest()


def bdecode(data, at=0):
    """A value of bencoding, and where it ends. Written without any code of ours, as an oracle must be."""
    lead = data[at:at + 1]
    if lead == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if lead in (b"l", b"d"):
        values, at = [], at + 1
        while data[at:at + 1] != b"e":
            value, at = bdecode(data, at)
            values.append(value)
        return (values if lead == b"l" else dict(zip(values[::2], values[1::2]))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


def kept_pieces(folder):
    """The pieces that a state directory says are on stable storage; None where no torrent is kept."""
    files = list(folder.glob("*.resume"))
    if not files:
        return None
    assert len(files) == 1, files
    format_line, checksum, body = files[0].read_bytes().split(b"\n", 2)
    assert format_line == b"eziod resume 1", format_line
    assert hashlib.sha256(body).hexdigest().encode() == checksum, "the file of a state is never half written"
    state = bdecode(body)[0]
    if state[b"is-doubtful"]:
        return set()
    bits = state[b"pieces"]
    return {piece for piece in range(state[b"piece-count"]) if bits[piece // 8] & (0x80 >> piece % 8)}


def wrong_pieces(swarm, pieces, content):
    """Those of the pieces that differ between the source and content."""
    return [piece for piece in pieces
            if content[piece * PIECE:(piece + 1) * PIECE] != swarm.bytes[piece * PIECE:(piece + 1) * PIECE]]


def settled(daemon, seconds=None):
    """The row of the only torrent once it is synced or in error."""
    return daemon.wait_for(lambda row: row["synced"] or row["state"] == "error", "synced or in error", seconds=seconds)


def gone_on(daemon):
    """Starts a daemon again; the row of its torrent once it goes on. The kept torrent is there a moment after the first answer."""
    daemon.start()
    wait_until(daemon.torrents_now, "the torrent is there again")
    return daemon.wait_for(lambda row: row["state"] != "checking", "it goes on")


def has_whole_story(error, device):
    """Whether an error says operation, device, offset, length and errno."""
    context = error["context"]
    return context.get("device") == str(device) and context.get("errno_name") in ("EIO", "ENOSPC", "ENXIO") and bool(
        context.get("operation")) and ("fdatasync" in context["operation"] or (
            context.get("offset_bytes") is not None and context.get("length_bytes", 0) > 0))


__all__ = [name for name in dir() if not name.startswith("_")] + ["wait_until"]
