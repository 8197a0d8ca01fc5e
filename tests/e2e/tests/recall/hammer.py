"""One process of the hammer: accesses files in every way, and compares with what it knows.

Usage: hammer.py DIRECTORY NUMBER OF FILES SECONDS

Files are made of blocks that say which file, block and version they are. Those whose number leaves
NUMBER when divided by OF belong to this process, which alone changes them and knows every byte.
Blocks of others must merely be theirs: one of zeros has been lost.
"""

import collections
import hashlib
import mmap
import os
import random
import struct
import subprocess
import sys
import threading
import time

BLOCK = 4096


def block(number, index, version):
    """The content of one block."""
    head = struct.pack("<8sIII", b"hammered", number, index, version)
    body = hashlib.sha256(head).digest()
    return (head + body * (BLOCK // len(body)))[:BLOCK]


class Own:
    """A file of this process."""

    def __init__(self, directory, number, chance):
        self.path = os.path.join(directory, "f%d" % number)
        self.number = number
        usual = chance.choice([2, 5, 17, 40, 300 if number % 50 == 0 else 9])
        # A few are so large that they are restored ahead of whoever reads on.
        usual = 8000 if number % 500 == 1 else usual
        self.versions = [1] * usual
        self.usual = usual
        # What was done to it last, and when.
        self.history = collections.deque(maxlen=12)

    def content(self, first=0, last=None):
        """The bytes of these blocks."""
        known = list(enumerate(self.versions))[first:last]
        return b"".join(block(self.number, index, version) for index, version in known)

    def check(self, got, first, last, how):
        """Fails if other bytes were got."""
        wanted = self.content(first, last)
        if got == wanted:
            return
        at = next((i for i, pair in enumerate(zip(got, wanted)) if pair[0] != pair[1]), -1)
        zeros = got[at:at + 16].count(0)
        place = (len(got), len(wanted), first * BLOCK + at, zeros)
        text = "%s by %s: %d of %d bytes, differs at %d, %d of 16 there are zeros\n" % (
            self.path, how, *place)
        versions = [struct.unpack_from("<8sIII", got, at)[3]
                    for at in range(0, len(got) - BLOCK + 1, BLOCK)]
        text += "versions got: %s\nwanted: %s\n" % (versions, self.versions[first:last])
        text += "".join("%.3f %s\n" % done for done in self.history)
        text += "%s\n" % (os.stat(self.path),)
        try:
            text += os.getxattr(self.path, "trusted.dray").hex()
        except OSError as error:
            text += str(error)
        sys.exit("%.3f %s" % (time.time(), text))

    def make(self):
        with open(self.path, "wb") as file:
            file.write(self.content())

    def read(self, _chance):
        with open(self.path, "rb") as file:
            self.check(file.read(), 0, None, "read")

    def read_on(self, _chance):
        step = 32
        with open(self.path, "rb", buffering=0) as file:
            for first in range(0, len(self.versions), step):
                last = min(first + step, len(self.versions))
                self.check(file.read(step * BLOCK), first, last, "read on")

    def read_part(self, chance):
        first = chance.randrange(len(self.versions))
        last = chance.randint(first + 1, len(self.versions))
        with open(self.path, "rb", buffering=0) as file:
            got = os.pread(file.fileno(), (last - first) * BLOCK, first * BLOCK)
        self.check(got, first, last, "pread")

    def map(self, _chance):
        with open(self.path, "rb") as file:
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                self.check(mapped[:], 0, None, "mmap")

    def map_to_write(self, chance):
        index = chance.randrange(len(self.versions))
        with open(self.path, "r+b") as file:
            with mmap.mmap(file.fileno(), 0) as mapped:
                self.versions[index] += 1
                changed = block(self.number, index, self.versions[index])
                mapped[index * BLOCK:(index + 1) * BLOCK] = changed
                mapped.flush()

    def write(self, chance):
        index = chance.randrange(len(self.versions))
        self.versions[index] += 1
        with open(self.path, "r+b", buffering=0) as file:
            changed = block(self.number, index, self.versions[index])
            os.pwrite(file.fileno(), changed, index * BLOCK)

    def cut(self, chance):
        self.versions = self.versions[:chance.randint(1, len(self.versions))]
        # By its name it meets a release, or a recall, that is under way: docs/holder.md.
        if os.environ.get("DRAY_HAMMER_CUTS") == "by name":
            os.truncate(self.path, len(self.versions) * BLOCK)
            return
        with open(self.path, "r+b", buffering=0) as file:
            os.ftruncate(file.fileno(), len(self.versions) * BLOCK)

    def append(self, chance):
        if len(self.versions) >= 2 * self.usual:
            return
        more = chance.randint(1, 4)
        first = len(self.versions)
        self.versions += [chance.randint(2, 1000) for _ in range(more)]
        with open(self.path, "ab", buffering=0) as file:
            file.write(self.content(first))

    def replace(self, chance):
        version = chance.randint(2, 1000)
        self.versions = [version] * self.usual
        with open(self.path, "wb") as file:
            file.write(self.content())

    def change_while_read(self, chance):
        """Changes the file in some way while it may come back for another reader."""
        reader = threading.Thread(target=self.look, args=(chance.randrange(len(self.versions)),))
        reader.start()
        way = chance.choice([Own.write, Own.cut, Own.append, Own.replace, Own.replace])
        self.history.append((time.time(), way.__name__))
        way(self, chance)
        reader.join()
        self.read(chance)

    def look(self, index):
        """Reads a block, whatever it is."""
        with open(self.path, "rb", buffering=0) as file:
            os.pread(file.fileno(), BLOCK, index * BLOCK)

    def clone(self, _chance):
        copy = self.path + ".copy"
        subprocess.run(["cp", "--reflink=auto", self.path, copy], check=True)
        with open(copy, "rb") as file:
            self.check(file.read(), 0, None, "cp")
        os.unlink(copy)


def look_at_other(directory, files, chance):
    """Reads a part of anybody's file."""
    number = chance.randrange(files)
    path = os.path.join(directory, "f%d" % number)
    with open(path, "rb", buffering=0) as file:
        index = chance.randrange(max(1, os.fstat(file.fileno()).st_size // BLOCK))
        got = os.pread(file.fileno(), BLOCK, index * BLOCK)
    # It may be shorter by now.
    if got and got[:16] != block(number, index, 1)[:16]:
        sys.exit("%s: block %d begins with %r" % (path, index, got[:16]))


def execute(program):
    """Runs a program that may be released."""
    run = subprocess.run([program, "ran"], check=True, stdout=subprocess.PIPE)
    if run.stdout != b"ran\n":
        sys.exit("%s said %r" % (program, run.stdout))


def main():
    directory, number, of, files, seconds = sys.argv[1], *map(int, sys.argv[2:])
    chance = random.Random(number)
    own = [Own(directory, it, chance) for it in range(number, files, of)]
    for it in own:
        it.make()
    program = os.path.join(directory, "program%d" % number)
    with open("/bin/echo", "rb") as source, open(program, "wb") as target:
        target.write(source.read())
    os.chmod(program, 0o755)
    open(os.path.join(directory, "..", "ready%d" % number), "w").close()
    while not os.path.exists(os.path.join(directory, "..", "go")):
        time.sleep(0.05)
    # Reading most of the time, so that files stay as they were archived and are released.
    ways = [Own.read] * 4 + [Own.read_on] * 4 + [Own.read_part] * 10 + [Own.map] * 3 + [
        Own.map_to_write, Own.write, Own.write, Own.cut, Own.append, Own.append, Own.replace,
        Own.clone, Own.change_while_read, Own.change_while_read]
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until:
        (way, it) = (chance.choice(ways), chance.choice(own))
        it.history.append((time.time(), way.__name__ + " of %d" % len(it.versions)))
        way(it, chance)
        look_at_other(directory, files, chance)
        if count % 50 == 0:
            execute(program)
        count += 1
    for it in own:
        it.read(chance)
    print(count)


if __name__ == "__main__":
    main()
