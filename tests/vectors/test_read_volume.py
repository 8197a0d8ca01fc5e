#!/usr/bin/env python3
"""Tests read_volume.py with volumes from a small writer that follows docs/volume.md by itself.

    python3 tests/vectors/test_read_volume.py
"""

import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
READER = os.path.join(HERE, "read_volume.py")
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import read_volume  # noqa: E402  for its sum alone

ARCHIVE = bytes(range(16))
TIME = (1_600_000_000, 123_456_789)
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

TABLE = []
for entry in range(256):
    for _ in range(8):
        entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)
    TABLE.append(entry)


def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ TABLE[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


def pad(data, unit):
    return data + bytes(-len(data) % unit)


def with_sum(data, at):
    assert data[at:at + 4] == bytes(4)
    return data[:at] + struct.pack("<I", crc(data)) + data[at + 4:]


def packed(seconds, nanos=0):
    return (seconds + 2**31) << 30 | nanos


def handle(inode):
    return b"F" * 16 + struct.pack("<QII", inode, 7, 0)


def pattern(length, seed):
    return bytes((i * 31 + i // 251 + seed) & 255 for i in range(length))


def extents_of(pieces):
    """pieces: (file offset, data, offset within the segment)"""
    out = b""
    for offset, data, payload in pieces:
        sums = [crc(data[i:i + 65536]) for i in range(0, len(data), 65536)]
        out += struct.pack("<QQQ", offset, len(data), payload)
        out += pad(struct.pack("<%dI" % len(sums), *sums), 8)
    return out


class Item:
    """A record to be: its kind, the data it brings along, its body once that has a place."""

    def __init__(self, kind, body, data=()):
        self.kind, self.body, self.data, self.offset, self.length = kind, body, list(data), 0, 0


def item_file(inode, path, *data, kind=1, mode=0o640, size=None, archived=100, target=b"",
              xattrs=(), parts=(), owner=None):
    """data: (file offset, bytes); parts: (volume, item, file offset, span)"""
    if size is None:
        size = max([offset + len(piece) for offset, piece in data], default=len(target))
    uid, gid = owner or (os.getuid(), os.getgid())

    def body(places):
        tail = path + target
        for name, value in xattrs:
            tail += struct.pack("<HHI", len(name), 0, len(value)) + name + value
        tail = pad(tail, 8)
        tail += extents_of([(o, d, p) for (o, d), p in zip(data, places)])
        for volume, part, offset, span in parts:
            tail += struct.pack("<IIQQQ", volume, part.length, part.offset, offset, span)
        time = struct.pack("<qI", *TIME)
        return (handle(inode) + struct.pack("<HHIIIII", kind, 0, mode, uid, gid, 1, 0)
                + struct.pack("<QQ", size, 0) + time * 4 + struct.pack("<Q", packed(archived))
                + bytes(32) + struct.pack("<IIIIII", len(path), len(target), len(xattrs),
                                          len(data), len(parts), 0) + tail)
    return Item(1, body, data)


def item_part(inode, offset, span, *data):
    def body(places):
        return (handle(inode) + struct.pack("<QQII", offset, span, len(data), 0)
                + extents_of([(o, d, p) for (o, d), p in zip(data, places)]))
    return Item(2, body, data)


def item_gone(inode, volume, item, removed=200):
    return Item(3, lambda _: handle(inode) + struct.pack("<IIQQ", volume, 0,
                                                         item.offset if item else 0,
                                                         packed(removed)))


def item_link(inode, path, archived=100):
    return Item(4, lambda _: pad(handle(inode) + struct.pack("<QII", packed(archived), len(path), 0)
                                 + path, 8))


class Writer:
    def __init__(self, number=1, archive=ARCHIVE):
        self.number, self.archive, self.sequence, self.durable = number, archive, 0, 65536
        self.image = bytearray(65536)
        self.frontier = None

    def mark(self, magic, kind, items, at, payload, index, index_sum):
        mark = struct.pack("<8sHHI16sIIQQQQQQI", magic, 1, kind, 128, self.archive, self.number,
                           items, self.sequence, at, payload, index, self.durable, packed(90),
                           index_sum)
        return with_sum(pad(mark, 4096), 124)

    def segment(self, kind, *items, payload=b"", flush=True):
        at = len(self.image)
        self.sequence += 1
        places = []
        for item in items:
            places.append([])
            for _, data in item.data:
                places[-1].append(4096 + len(payload))
                payload += pad(data, 4096)
        index = b""
        for item, place in zip(items, places):
            body = item.body(place)
            body = pad(body, 8)
            offset = 4096 + len(payload) + len(index)
            item.length, item.offset = 24 + len(body), at + offset
            record = b"DREC" + struct.pack("<HHIIQ", 1, item.kind, item.length, 0, offset) + body
            index += with_sum(record, 12)
        self.image += self.mark(b"DRAYSEG1", kind, len(items), at, len(payload), len(index), 0)
        self.image += payload + pad(index, 4096)
        self.image += self.mark(b"DRAYEND1", kind, len(items), at, len(payload), len(index),
                                crc(index))
        if flush:
            self.durable = len(self.image)
        return at

    def superblock(self, revision, version=1):
        block = struct.pack("<8sHHI16sIIQQQQQ", b"DRAYVOL1", version, 0, 128, self.archive,
                            self.number, 0, revision, 1 << 40, self.frontier or len(self.image),
                            self.durable, packed(80))
        return with_sum(pad(block, 4096), 124)

    def patch(self, at, layout, value):
        """Changes a field of a block that has a sum."""
        struct.pack_into(layout, self.image, at, value)
        block = at // 4096 * 4096
        self.image[block + 124:block + 128] = bytes(4)
        self.image[block:block + 4096] = with_sum(bytes(self.image[block:block + 4096]), 124)

    def flip(self, at, count=1):
        for i in range(at, at + count):
            self.image[i] ^= 0x55

    def save(self, folder, version=1):
        if not any(self.image[:8192]):
            self.image[:8192] = self.superblock(1, version) + self.superblock(2, version)
        path = os.path.join(folder, "volume-%08d.dray" % self.number)
        with open(path, "wb") as file:
            file.write(self.image)
        return path


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.to = os.path.join(self.folder, "to")

    def run_reader(self, *args, code=0):
        done = subprocess.run([sys.executable, READER, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        self.errors = done.stderr.decode()
        self.assertEqual(done.returncode, code, self.errors)
        return done.stdout

    def paths(self, *volumes, code=0):
        out = self.run_reader("list", *volumes, code=code).decode()
        return [line.split("\t")[2] for line in out.splitlines()]

    def place(self, path):
        return os.path.join(self.to, path)

    def content(self, path):
        with open(self.place(path), "rb") as file:
            return file.read()


class Reading(Case):
    def setUp(self):
        super().setUp()
        self.small = pattern(5000, 1)
        self.chunks = pattern(65536 * 2 + 100, 2)
        acl = struct.pack("<IHHIHHIHHIHHIHHI", 2, 1, 6, 2**32 - 1, 2, 4, 1234, 4, 0, 2**32 - 1,
                          16, 4, 2**32 - 1, 32, 0, 2**32 - 1)
        one, two = Writer(1), Writer(2)
        self.old = item_file(10, b"/data/small", (0, b"old"), archived=50)
        removed = item_file(11, b"/data/removed", (0, b"removed"))
        one.segment(1, self.old, removed, item_file(12, b"/data/other", (0, b"")))
        self.parts = [item_part(20, 0, 1 << 20, (0, self.chunks), (500_000, b"x" * 10)),
                      item_part(20, 1 << 20, 1 << 20, ((1 << 20) + 4096, self.small)),
                      item_part(20, 2 << 20, 50, (2 << 20, b"z" * 50))]
        self.first = one.segment(2, self.parts[0])
        self.piece = two.segment(2, self.parts[1])
        two.segment(2, self.parts[2])
        self.items = [
            item_file(2, b"/data", kind=2, mode=0o2750),
            item_file(10, b"/data/small", (0, self.small), archived=100, mode=0o600,
                      xattrs=[(b"user.one", b"1"), (b"user.two", b"zwei"),
                              (b"trusted.no", b"no"), (b"system.posix_acl_access", acl)]),
            item_file(13, b"/data/link", kind=3, mode=0o777, target=b"small"),
            item_file(14, b"/data/hole", (8192, b"abc"), (1 << 20, b"def"), size=2 << 20),
            item_file(20, b"/data/large", parts=[
                (1, self.parts[0], 0, 1 << 20), (2, self.parts[1], 1 << 20, 1 << 20),
                (2, self.parts[2], 2 << 20, 50)], size=(2 << 20) + 50),
            item_file(15, b"/data/a\nb\\c\xff\xc3\xa9", (0, b"name")),
            item_file(16, b"/data/pipe", kind=4),
            item_file(17, b"/data/nothing"),
            Item(99, lambda _: b"not known"),
        ]
        two.segment(1, *self.items)
        two.segment(4, payload=pattern(8192, 9))
        two.segment(3, item_gone(11, 1, removed), item_link(14, b"/data/more/hole2"))
        self.one, self.two = one, two
        self.volumes = [one.save(self.folder), two.save(self.folder)]
        self.large = bytearray((2 << 20) + 50)
        self.large[0:len(self.chunks)] = self.chunks
        self.large[500_000:500_010] = b"x" * 10
        self.large[(1 << 20) + 4096:(1 << 20) + 4096 + 5000] = self.small
        self.large[2 << 20:] = b"z" * 50

    def test_sum(self):
        self.assertEqual(read_volume.crc32c(b"123456789"), 0xE3069283)
        for length in [*range(70), 4096, 65535, 65536, 100_001]:
            data = pattern(length, length)
            self.assertEqual(read_volume.crc32c(data), crc(data), length)

    def test_list(self):
        self.assertEqual(self.run_reader("list", *self.volumes).decode().splitlines(), [
            "directory\t0\t/data", "file\t4\t/data/a\\nb\\\\c\\xff\u00e9",
            "file\t2097152\t/data/hole", "file\t2097202\t/data/large", "symlink\t5\t/data/link",
            "file\t2097152\t/data/more/hole2", "file\t0\t/data/nothing",
            "file\t0\t/data/other", "fifo\t0\t/data/pipe", "file\t5000\t/data/small"])
        self.assertEqual(self.errors, "")

    def test_json(self):
        lines = self.run_reader("list", "--json", *reversed(self.volumes)).splitlines()
        first, odd, *others = map(json.loads, lines)
        files = {file["path"]: file for file in [first, *others]}
        hole = {"path": "/data/hole", "kind": "file", "size": 2097152, "inode": 14,
                "generation": 7, "volume": 2, "manifest": self.items[3].offset, "mode": 0o640,
                "uid": os.getuid(), "gid": os.getgid(), "mtime": TIME[0], "mtime_nanos": TIME[1]}
        self.assertEqual(files["/data/hole"], hole)
        self.assertEqual(files["/data/more/hole2"], dict(hole, path="/data/more/hole2"))
        self.assertEqual(bytes.fromhex(odd["path"]["hex"]), b"/data/a\nb\\c\xff\xc3\xa9")

    def test_cat(self):
        self.assertEqual(self.run_reader("cat", *self.volumes, "/data/large"), self.large)
        self.assertEqual(self.run_reader("cat", *self.volumes, "/data/small"), self.small)
        self.assertEqual(self.run_reader("cat", *self.volumes, "/data/nothing"), b"")
        hole = self.run_reader("cat", *self.volumes, "/data/more/hole2")
        self.assertEqual((len(hole), hole[8192:8196], hole[1 << 20:][:4], sum(hole)),
                         (2 << 20, b"abc\0", b"def\0", sum(b"abcdef")))
        self.run_reader("cat", *self.volumes, "/data/removed", code=1)

    def test_extract(self):
        self.run_reader("extract", *self.volumes, "--to", self.to)
        self.assertEqual(self.content("data/large"), self.large)
        self.assertEqual(self.content("data/small"), self.small)
        self.assertEqual(self.content("data/other"), b"")
        self.assertEqual(self.content(b"data/a\nb\\c\xff\xc3\xa9".decode(errors="surrogateescape")),
                         b"name")
        self.assertEqual(os.readlink(self.place("data/link")), "small")
        self.assertFalse(os.path.exists(self.place("data/removed")))
        hole = os.stat(self.place("data/hole"))
        self.assertEqual((hole.st_size, hole.st_nlink), (2 << 20, 2))
        self.assertLess(hole.st_blocks * 512, 1 << 20)
        self.assertTrue(os.path.samestat(hole, os.stat(self.place("data/more/hole2"))))
        self.assertTrue(stat.S_ISFIFO(os.stat(self.place("data/pipe")).st_mode))
        for name, mode in ("data", 0o2750), ("data/hole", 0o640), ("data/pipe", 0o640):
            self.assertEqual(stat.S_IMODE(os.stat(self.place(name)).st_mode), mode, name)
        for name in "data", "data/large", "data/link", "data/pipe":
            found = os.stat(self.place(name), follow_symlinks=False).st_mtime_ns
            self.assertEqual(found, TIME[0] * 10**9 + TIME[1], name)
        if "user.one" in self.errors or "acl" in self.errors:
            self.skipTest("no extended attributes here")
        small = self.place("data/small")
        self.assertEqual((os.getxattr(small, "user.one"), os.getxattr(small, "user.two")),
                         (b"1", b"zwei"))
        self.assertIn("system.posix_acl_access", os.listxattr(small))
        self.assertNotIn("trusted.no", os.listxattr(small))

    def test_extract_some(self):
        self.run_reader("extract", *self.volumes, "--to", self.to, "data/small", "/data/more")
        self.assertEqual(os.listdir(self.to), ["data"])
        self.assertEqual(sorted(os.listdir(self.place("data"))), ["more", "small"])
        self.run_reader("extract", *self.volumes, "--to", self.to, "/missing", code=1)
        self.run_reader("extract", *self.volumes, "--to", self.to, "/data/small", code=1)
        self.assertIn("/data/small: File exists", self.errors)

    def test_missing_volume(self):
        out = self.run_reader("cat", self.volumes[1], "/data/large", code=1)
        self.assertIn("volume 1 is needed", self.errors)
        self.assertEqual(out[1 << 20:], self.large[1 << 20:])
        other = Writer(3, archive=b"other archive   ")
        self.run_reader("list", self.volumes[0], other.save(self.folder), code=2)
        self.run_reader("list", self.volumes[0], self.volumes[0], code=2)

    def test_damaged_payload(self):
        self.two.flip(self.piece + 4096 + 10)
        self.one.flip(self.first + 4096 + 65536 + 5)  # in its second chunk
        self.volumes = [self.one.save(self.folder), self.two.save(self.folder)]
        self.run_reader("extract", *self.volumes, "--to", self.to, code=1)
        self.assertIn("damage: volume 2, segment %d, file /data/large, offset %d"
                      % (self.piece, (1 << 20) + 4096), self.errors)
        self.assertIn("file /data/large, offset 65536:", self.errors)
        self.large[65536:131072] = bytes(65536)
        self.large[(1 << 20) + 4096:2 << 20] = bytes((1 << 20) - 4096)
        self.assertEqual(self.content("data/large"), self.large)
        self.assertEqual(self.run_reader("cat", *self.volumes, "/data/large", code=1), self.large)
        self.assertEqual(self.content("data/small"), self.small)

    def test_damaged_part_record(self):
        self.two.flip(self.parts[1].offset + 60)
        self.two.save(self.folder)
        out = self.run_reader("cat", *self.volumes, "/data/large", code=1)
        self.assertIn("a part of %d bytes is damaged" % (1 << 20), self.errors)
        self.assertEqual(out[:1 << 20], self.large[:1 << 20])
        self.assertEqual(out[2 << 20:], b"z" * 50)

    def test_damaged_record(self):
        whole = self.paths(*self.volumes)
        for at in 0, 9, 230:  # magic, length, path and what follows
            self.two.flip(self.items[3].offset + at)
            self.two.save(self.folder)
            left = self.paths(*self.volumes, code=1)
            self.assertEqual(left, [path for path in whole if "hole" not in path])
            self.assertIn("offset %d: a record is damaged" % self.items[3].offset, self.errors)
            self.two.flip(self.items[3].offset + at)


class Segments(Case):
    """Three segments with one file each, then what can happen to them."""

    def setUp(self):
        super().setUp()
        self.writer = Writer()
        self.items = [item_file(i, b"/%d" % i, (0, pattern(9000, i))) for i in range(4)]
        self.at = [self.writer.segment(1, item) for item in self.items[:3]]
        self.end = len(self.writer.image)

    def listed(self, code=0, version=1):
        return self.paths(self.writer.save(self.folder, version), code=code)

    def test_header_lost(self):
        self.writer.flip(self.at[1] + 1000)
        self.assertEqual(self.listed(code=1), ["/0", "/1", "/2"])
        self.assertIn("segment %d, offset %d: the header" % (self.at[1], self.at[1]), self.errors)

    def test_trailer_lost(self):
        self.writer.flip(self.at[2] - 4096)
        self.assertEqual(self.listed(code=1), ["/0", "/1", "/2"])
        self.assertIn("segment %d, offset %d: the trailer" % (self.at[1], self.at[2] - 4096),
                      self.errors)

    def test_both_marks_lost(self):
        self.writer.flip(self.at[1], 8)
        self.writer.flip(self.at[2] - 4096, 8)
        self.assertEqual(self.listed(code=1), ["/0", "/2"])
        self.assertIn("segment %d: no segment found from here to %d" % (self.at[1], self.at[2]),
                      self.errors)

    def test_segment_and_next_header_lost(self):
        self.writer.image[self.at[1]:self.at[2] + 4096] = bytes(self.at[2] + 4096 - self.at[1])
        self.assertEqual(self.listed(code=1), ["/0", "/2"])

    def test_last_lost(self):
        self.writer.image[self.at[2]:] = bytes(self.end - self.at[2])
        self.assertEqual(self.listed(code=1), ["/0", "/1"])
        self.writer.frontier = self.end
        del self.writer.image[self.at[2]:]
        self.assertEqual(self.listed(code=1), ["/0", "/1"])

    def test_uncertain(self):
        start = self.writer.segment(1, self.items[3], flush=False)
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/3"])
        end = len(self.writer.image)
        for at in (start + 200, start + 4096 + 8999, self.items[3].offset + 100, end - 4000):
            self.writer.flip(at)
            self.assertEqual(self.listed(), ["/0", "/1", "/2"], at)
            self.assertIn("torn", self.errors)
            self.writer.flip(at)
        self.writer.flip(start + 4096 + 9000 + 20)  # padding is under no sum
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/3"])

    def test_torn_then_whole(self):
        """What follows a torn segment is found, and its durable makes damage of the torn one."""
        torn = self.writer.segment(1, self.items[3], flush=False)
        self.writer.segment(1, item_file(5, b"/5"), flush=False)
        self.writer.flip(torn + 4096)
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/5"])
        self.writer.flip(torn)
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/5"])
        self.writer.flip(torn)
        self.writer.image[:8192] = bytes(8192)
        self.writer.image[:8192] = self.writer.superblock(1) * 2
        self.writer.durable = len(self.writer.image)
        self.writer.segment(4, flush=False)  # only this mark knows of the flush
        self.writer.frontier = len(self.writer.image)
        self.writer.durable = self.at[1]
        self.writer.image[:8192] = self.writer.superblock(1) * 2
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/3", "/5"])
        self.run_reader("cat", self.writer.save(self.folder), "/3", code=1)

    def test_skip_covers_torn(self):
        before = bytes(self.writer.image)
        self.writer.segment(1, self.items[3], flush=False)
        torn = self.writer.image[self.end:]
        self.writer.image[:] = before
        self.writer.segment(4, payload=bytes(torn[4096:-4096]))
        self.writer.segment(1, item_file(5, b"/5"))
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/5"])
        self.assertEqual(self.errors, "")

    def test_torn_parts(self):
        """An uncertain manifest needs the parts in its own volume; what else is there counts."""
        parts = [item_part(8, i * 9000, 9000, (i * 9000, pattern(9000, i))) for i in range(3)]
        other = Writer(2)
        other.segment(2, parts[2])
        self.writer.segment(2, parts[0])
        torn = self.writer.segment(2, parts[1], flush=False)
        self.writer.segment(1, item_file(8, b"/large", size=27000, parts=[
            (1 + i // 2, parts[i], i * 9000, 9000) for i in range(3)]),
            item_file(5, b"/5"), flush=False)
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/5", "/large"])
        for at in torn + 4096, parts[1].offset + 60:
            self.writer.flip(at)
            self.assertEqual(self.listed(), ["/0", "/1", "/2", "/5"], at)
            self.assertIn("manifest of torn parts", self.errors)
            self.writer.flip(at)
        self.writer.flip(parts[0].offset + 60)  # damage, but not torn
        self.assertEqual(self.listed(code=1), ["/0", "/1", "/2", "/5", "/large"])
        self.writer.flip(parts[0].offset + 60)
        volumes = [self.writer.save(self.folder), other.save(self.folder)]
        content = b"".join(pattern(9000, i) for i in range(3))
        self.assertEqual(self.run_reader("cat", *volumes, "/large"), content)

    def test_frontier(self):
        """Nothing counts beyond the frontier, not even what looks like ours."""
        start = self.writer.segment(1, self.items[3], flush=False)
        for self.writer.frontier in self.end, len(self.writer.image) - 4096:
            self.assertEqual(self.listed(), ["/0", "/1", "/2"])
            self.writer.image[:4096] = bytes(4096)  # either copy does
            self.assertEqual(self.listed(), ["/0", "/1", "/2"])
            self.writer.image[:8192] = bytes(8192)
        self.writer.frontier = len(self.writer.image) + 8192
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/3"])
        del self.writer.image[start + 8192:]  # a file may end before
        self.assertEqual(self.listed(), ["/0", "/1", "/2"])

    def test_marks_disagree(self):
        trailer = self.at[2] - 4096
        for at, layout in (10, "<H"), (36, "<I"), (40, "<Q"), (72, "<Q"), (80, "<Q"):
            before = bytes(self.writer.image)
            self.writer.patch(trailer + at, layout, 3)
            self.assertEqual(self.listed(code=1), ["/0", "/1", "/2"], at)
            self.assertIn("the trailer", self.errors)
            self.writer.image[:] = before
        self.writer.patch(trailer + 100, "<I", 1)  # reserved
        self.assertEqual(self.listed(), ["/0", "/1", "/2"])

    def test_long_index(self):
        """A mark with an index that is too long is none; what follows is found."""
        bad = len(self.writer.image)
        self.writer.segment(4, flush=False)
        self.writer.segment(1, self.items[3], flush=False)
        self.writer.frontier = 300 << 20
        found = []
        for length in 1 << 28, (1 << 28) + 1:
            self.writer.patch(bad + 64, "<Q", length)
            os.truncate(self.writer.save(self.folder), self.writer.frontier)
            found.append(self.paths(os.path.join(self.folder, "volume-00000001.dray")))
        self.assertEqual(found, [["/0", "/1", "/2"], ["/0", "/1", "/2", "/3"]])

    def test_unknown(self):
        self.writer.segment(9, self.items[3])
        self.writer.segment(1, item_file(5, b"/5"), Item(9, lambda _: b"what"))
        self.assertEqual(self.listed(), ["/0", "/1", "/2", "/5"])
        self.writer.patch(self.at[1] + 8, "<H", 2)
        self.assertEqual(self.listed(code=1), ["/0", "/1", "/2", "/5"])
        self.assertIn("the header is damaged", self.errors)
        self.writer.patch(self.at[2] - 4096 + 8, "<H", 2)
        self.assertEqual(self.listed(code=1), ["/0", "/2", "/5"])

    def test_space_after_the_end(self):
        self.writer.image += pattern(4096, 1) * 600 + b"short"
        self.assertEqual(self.listed(), ["/0", "/1", "/2"])

    def test_superblocks(self):
        self.writer.image[:8192] = self.writer.superblock(1) * 2
        self.writer.flip(100)
        self.assertEqual(self.listed(), ["/0", "/1", "/2"])
        self.writer.image[:8192] = self.writer.superblock(1) + self.writer.superblock(2, version=2)
        self.assertEqual(self.listed(), ["/0", "/1", "/2"])
        self.writer.flip(100)
        self.listed(code=2)
        self.writer.flip(4096 + 4000)
        self.assertEqual(self.listed(code=1), ["/0", "/1", "/2"])
        self.assertIn("both superblocks", self.errors)

    def test_no_volume(self):
        self.listed(code=2, version=2)
        self.assertIn("version 2 is not known", self.errors)
        self.writer.image[:] = b"no volume"
        self.writer.image += bytes(70000)
        self.writer.image[:8192] = b"n" * 8192
        self.listed(code=2)

    def counting(self, *items):
        """The paths that are listed when these records are added to all before."""
        self.writer.image[:8192] = bytes(8192)
        self.writer.segment(1, *items)
        return self.listed()[3:]

    def test_what_counts(self):
        old = item_file(9, b"/old", (0, b"old"), archived=10)
        new = item_file(9, b"/new", (0, b"new"), archived=20)
        self.assertEqual(self.counting(new, old), ["/new"])
        self.assertEqual(self.counting(item_gone(9, 2, new)), ["/new"])  # not in this volume
        self.assertEqual(self.counting(item_gone(9, 1, new)), ["/old"])
        self.assertEqual(self.counting(item_gone(9, 1, old)), [])
        same = [item_file(9, path, archived=30) for path in (b"/a", b"/b")]
        self.assertEqual(self.counting(*same), ["/b"])

    def test_all_gone(self):
        times = 10, 20, 30
        files = [item_file(9, b"/%d" % time, archived=time) for time in times]
        self.assertEqual(self.counting(item_gone(9, 0, None, 10), *files), ["/30"])
        self.assertEqual(self.counting(item_gone(9, 1, files[2])), ["/20"])
        self.assertEqual(self.counting(item_gone(8, 0, None, 99)), ["/20"])
        self.assertEqual(self.counting(item_gone(9, 0, None, 20), item_gone(9, 0, None, 5)), [])
        again = item_file(9, b"/again", archived=21)
        self.assertEqual(self.counting(again), ["/again"])

    def test_links(self):
        self.assertEqual(self.counting(item_link(9, b"/early", 5)), [])
        file = item_file(9, b"/file", archived=10)
        self.assertEqual(self.counting(file, item_link(9, b"/late", 15)),
                         ["/early", "/file", "/late"])
        other = item_file(9, b"/other", archived=20)
        self.assertEqual(self.counting(other), ["/early", "/late", "/other"])
        self.assertEqual(self.counting(item_gone(9, 0, None)), [])

    def test_one_path(self):
        """Of several files with one path the latest archived has it."""
        first = item_file(9, b"/path", (0, b"first"), archived=10)
        second = item_file(10, b"/path", (0, b"second"), archived=20)
        third = item_file(11, b"/third", (0, b"third"), archived=5)
        volume = os.path.join(self.folder, "volume-00000001.dray")

        def content(*items):
            self.counting(*items)
            return self.run_reader("cat", volume, "/path")
        self.assertEqual(content(second, first), b"second")
        self.assertEqual(content(third, item_link(11, b"/path", 15)), b"second")
        self.assertEqual(content(item_link(11, b"/path", 25)), b"third")
        self.assertEqual(content(item_gone(11, 1, third)), b"second")
        self.assertEqual(content(item_gone(10, 0, None)), b"first")
        self.run_reader("extract", volume, "--to", self.to)
        self.assertEqual(self.content("path"), b"first")

    def test_stays_inside(self):
        outside = os.path.join(self.folder, "outside")
        os.mkdir(outside)
        self.writer.segment(
            1, item_file(30, b"/../up", (0, b"up")), item_file(31, b"/a/../../up", (0, b"up")),
            item_file(32, b"/door", kind=3, target=outside.encode()),
            item_file(33, b"/door/in", (0, b"in")), item_file(34, b"/there/in", (0, b"in")),
            item_file(35, b"/last", (0, b"last")), item_link(35, b"/door/last"),
            item_file(36, b"/file", (0, b"in")))
        os.mkdir(self.to)
        os.symlink(outside, self.place("there"))
        os.symlink(os.path.join(outside, "file"), self.place("file"))
        self.run_reader("extract", self.writer.save(self.folder), "--to", self.to, code=1)
        self.assertEqual(os.listdir(outside), [])
        self.assertEqual(sorted(os.listdir(self.folder)), ["outside", "to", "volume-00000001.dray"])
        self.assertEqual(self.content("last"), b"last")
        self.assertEqual(self.errors.count("refused"), 2)

    @unittest.skipUnless(ROOT, "needs root")
    def test_owner(self):
        self.writer.segment(1, item_file(40, b"/owned", (0, b"x"), mode=0o4755, owner=(123, 456)),
                            item_file(41, b"/link", kind=3, target=b"nowhere", owner=(12, 34)))
        self.run_reader("extract", self.writer.save(self.folder), "--to", self.to)
        owned, link = os.lstat(self.place("owned")), os.lstat(self.place("link"))
        self.assertEqual((owned.st_uid, owned.st_gid, stat.S_IMODE(owned.st_mode)),
                         (123, 456, 0o4755))
        self.assertEqual((link.st_uid, link.st_gid), (12, 34))


if __name__ == "__main__":
    unittest.main()
