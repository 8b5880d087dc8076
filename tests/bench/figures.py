"""What a process, its threads and the machine have used, read from /proc; medians and tables of it."""
import collections
import mmap
import os
import pathlib
import platform
import statistics
import time

MIB = 1 << 20
GIB = 1 << 30
TICKS = os.sysconf("SC_CLK_TCK")


def size(text):
    """Bytes of "512M", "2G", "64K" or a number of MiB."""
    unit = {"K": 1 << 10, "M": MIB, "G": GIB}.get(text[-1:].upper())
    return int(text[:-1]) * unit if unit else int(text) * MIB


def show_size(count):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} B"


def available_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no MemAvailable")


def touch_free_memory(wanted_bytes):
    """Takes memory and gives it back, so that what follows finds pages that a virtual machine already has: it gives free ones back to its host,
    and waits ten times as long for the next touch. Returns what that cost, in seconds per GiB; None if nothing could be taken."""
    taken = min(wanted_bytes, available_bytes() - 2 * GIB) // MIB * MIB
    if taken <= 0:
        return None
    began = time.monotonic()
    mmap.mmap(-1, taken, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()
    return (time.monotonic() - began) * GIB / taken


def _stat(path):
    """(thread name, user and system seconds) of a stat file."""
    text = pathlib.Path(path).read_text(encoding="ascii", errors="replace")
    name = text[text.index("(") + 1:text.rindex(")")]
    fields = text[text.rindex(")") + 1:].split()
    return name, (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds(pid):
    """User and system seconds that a process has used."""
    return _stat(f"/proc/{pid}/stat")[1]


class Meter:
    """CPU of one running process from now on, by thread name, and the peak of its memory."""

    def __init__(self, pid):
        self.folder = pathlib.Path(f"/proc/{pid}")
        # "5" makes VmHWM start anew.
        (self.folder / "clear_refs").write_text("5", encoding="ascii")
        self.began = self.seconds()
        self.threads_began = self.threads()

    def seconds(self):
        return _stat(self.folder / "stat")[1]

    def threads(self):
        found = {}
        for task in (self.folder / "task").iterdir():
            try:
                found[task.name] = _stat(task / "stat")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
        return found

    def read(self):
        """{"cpu": seconds, "threads": {name: seconds}, "peak": MiB} since the meter was made."""
        used = collections.Counter()
        for task, (name, seconds) in self.threads().items():
            used[name] += seconds - self.threads_began.get(task, ("", 0.0))[1]
        return {"cpu": self.seconds() - self.began, "threads": dict(used), "peak": self.peak_mib()}

    def peak_mib(self):
        for line in (self.folder / "status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return 0.0


class MachineMeter:
    """Share of the machine's CPU that was used by anything since it was made."""

    def __init__(self):
        self.began = self._read()

    @staticmethod
    def _read():
        fields = [int(word) for word in pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        idle = fields[3] + fields[4]
        return sum(fields) / TICKS, (sum(fields) - idle) / TICKS

    def read(self):
        """(all CPU seconds that passed, those that were used)"""
        total, busy = self._read()
        return total - self.began[0], busy - self.began[1]


def median(values):
    values = list(values)
    return statistics.median(values) if values else float("nan")


def thread_split(sides, gib):
    """Median CPU-s/GiB by thread name over several sides' figures, largest first."""
    names = {name for side in sides for name in side["threads"]}
    split = {name: median(side["threads"].get(name, 0.0) / gib for side in sides) for name in names}
    return dict(sorted(((n, s) for n, s in split.items() if s >= 0.005), key=lambda item: -item[1]))


def machine_line():
    model = "unknown CPU"
    flags = set()
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
        elif line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
    known = [name for name in ("sha_ni", "avx2", "avx512f") if name in flags]
    return f"{model} ({', '.join(known) or 'no SIMD of note'}), {os.cpu_count()} cores, Linux {platform.release()}"


def table(heads, rows):
    """Rows as a Markdown table that is also readable in a terminal."""
    texts = [heads, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(heads))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in texts]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
