"""A program on a pseudo-terminal, and what a person would see there."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

from lab import wait_until

ENTER = b"\x1b[?1049h\x1b[?25l\x1b[?7l"
LEAVE = b"\x1b[?7h\x1b[?25h\x1b[?1049l"
SEQUENCE = re.compile(rb"\x1b\[([0-9;?]*)([A-Za-z])")


class Terminal:
    """Knows the few sequences that ezioctl sends; any other is an error. Close it: that ends the program."""

    def __init__(self, *command, rows=24, columns=80, **keywords):
        self.outside, self.inside = pty.openpty()
        self.bytes, self.rest, self.colours = b"", b"", 0
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.inside)
        keywords.setdefault("stderr", subprocess.PIPE)
        # A session of its own, so that the terminal's keys send their signals.
        self.process = subprocess.Popen([str(word) for word in command], stdin=self.inside, stdout=self.inside, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **keywords)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        os.close(self.outside)
        os.close(self.inside)

    def resize(self, rows, columns):
        self.lines, self.row, self.column = [""] * rows, 0, 0
        fcntl.ioctl(self.inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.outside, keys.encode())

    def read(self):
        """Takes what has been written until now; its length."""
        count = 0
        while select.select([self.outside], [], [], 0)[0]:
            some = os.read(self.outside, 65536)
            count += len(some)
            self.bytes += some
            self.show(some)
        return count

    def show(self, some):
        self.rest += some
        while self.rest:
            if self.rest[:1] == b"\x1b":
                found = SEQUENCE.match(self.rest)
                if not found:
                    if len(self.rest) > 32:
                        raise AssertionError(f"no sequence: {self.rest!r}")
                    return
                self.rest = self.rest[found.end():]
                self.obey(found[1].decode(), found[2].decode())
                continue
            character, self.rest = self.rest[:1], self.rest[1:]
            if character == b"\r":
                self.column = 0
            elif character == b"\n":
                self.row = min(self.row + 1, len(self.lines) - 1)
            elif self.row < len(self.lines):
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[:self.column] + character.decode("latin-1") + line[self.column + 1:]
                self.column += 1

    def obey(self, parameters, what):
        if what == "H":
            row, column = ((parameters or "1;1").split(";"))
            self.row, self.column = int(row) - 1, int(column) - 1
        elif what == "J" and parameters == "2":
            self.lines = [""] * len(self.lines)
        elif what == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif what == "m":
            self.colours += 1
        elif what not in "hl":
            raise AssertionError(f"an unknown sequence: {parameters}{what}")

    def text(self):
        self.read()
        return "\n".join(line.rstrip() for line in self.lines)

    def wait_for(self, *texts, without=()):
        """Until the screen shows all of these."""
        def shows():
            text = self.text()
            return all(each in text for each in texts) and not any(each in text for each in without)
        try:
            wait_until(shows, f"{texts} on the screen", 30)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.text()}") from None
        return self.text()

    def wait_end(self):
        """The exit status and standard error; the terminal must be as it was."""
        wait_until(lambda: self.read() == 0 and self.process.poll() is not None, "the program ends", 30)
        self.read()
        errors = self.process.stderr.read().decode()
        if not self.bytes.endswith(LEAVE):
            raise AssertionError(f"the screen is not as it was before: {self.bytes[-40:]!r}")
        if termios.tcgetattr(self.inside) != self.before:
            raise AssertionError("the terminal's mode is not as it was before")
        return self.process.returncode, errors
