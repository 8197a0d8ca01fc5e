#!/usr/bin/env python3
"""Reads dray volumes without dray: Python 3.9 or later, standard library only.

    read_volume.py list [--json] VOLUME...
    read_volume.py extract VOLUME... --to DIR [PATH...]
    read_volume.py cat VOLUME... PATH

Written from docs/volume.md alone, to show that the document suffices. VOLUME is a file or a block
device; give all volumes of an archive that files refer to. A chunk whose sum is wrong is named on
stderr and left out (a hole in an extracted file, zeros from cat), and the rest goes on. The hash
of the content is not checked: the standard library has no BLAKE3.

Exit code: 0 all is well; 1 damage, or something could not be read or made; 2 wrong use.
"""

import argparse
import contextlib
import json
import operator
import os
import stat
import struct
import sys
from collections import namedtuple

BLOCK = 4096
FIRST = 65536  # offset of the first segment
CHUNK = 65536  # bytes under one payload sum
READ = 1 << 20  # bytes read at once
INDEX_MAX = 1 << 28
VERSION = 1
HEADER, TRAILER = b"DRAYSEG1", b"DRAYEND1"
WITH_RECORDS = (1, 2, 3)  # kinds of segment; the others are passed over
MANIFEST, PART, GONE, LINK = 1, 2, 3, 4  # kinds of record
REGULAR, DIRECTORY, SYMLINK = 1, 2, 3  # types of file
SPECIAL = {4: stat.S_IFIFO, 5: stat.S_IFSOCK, 6: stat.S_IFCHR, 7: stat.S_IFBLK}
KINDS = dict(enumerate("file directory symlink fifo socket character block".split(), 1))

# Handles are taken without their reserved bytes.
SUPERBLOCK_FORMAT = struct.Struct("<8sHHI16sI4xQQQQQ44xI")
MARK_FORMAT = struct.Struct("<8sHHI16sIIQQQQQQI32xI")
RECORD_FORMAT = struct.Struct("<4sHHIIQ")
MANIFEST_FORMAT = struct.Struct("<28s4xHHIIII4xQQqIqIqIqIQ32sIIIII4x")
GONE_FORMAT = struct.Struct("<24x28s4xI4xQQ")  # with the header

Superblock = namedtuple("Superblock", "magic version reserved length archive volume revision "
                        "capacity frontier durable created sum")
Mark = namedtuple("Mark", "magic version kind length archive volume records sequence at payload "
                  "index durable created index_sum sum")
File = namedtuple("File", "volume segment offset length path target handle type flags mode uid gid "
                  "links size rdev accessed accessed_nanos modified modified_nanos changed "
                  "changed_nanos born born_nanos archived hash path_length target_length xattrs "
                  "extents parts")
Extent = namedtuple("Extent", "offset length payload sums")
Part = namedtuple("Part", "volume length record offset span")  # record: where it is


class Refused(Exception):
    """The volumes cannot be worked with at all."""


class Log:
    failed = False

    @staticmethod
    def note(text):
        print(text.encode("utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)

    @classmethod
    def error(cls, text):
        cls.failed = True
        cls.note("error: " + text)

    @classmethod
    def damage(cls, what, volume, segment=None, offset=None, path=None):
        cls.failed = True
        where = "volume %d" % volume
        where += "" if segment is None else ", segment %d" % segment
        where += "" if path is None else ", file %s" % escape(path)
        where += "" if offset is None else ", offset %d" % offset
        cls.note("damage: %s: %s" % (where, what))


def escape(path):
    """Printable: newline, backslash, control characters and what is not UTF-8 are escaped."""
    out = []
    for char in path.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char in "\\\n":
            out.append("\\\\" if char == "\\" else "\\n")
        elif code < 32 or 127 <= code < 160 or 0xDC80 <= code <= 0xDCFF:
            out += ["\\x%02x" % byte for byte in char.encode("utf-8", "surrogateescape")]
        else:
            out.append(char)
    return "".join(out)


def fold_table():
    """For each k: 2^k + 32, and the shifts that multiply by x to that power, modulo P."""
    def times(a, b):
        product = 0
        while b:
            product ^= a * (b & 1)
            a, b = a << 1, b >> 1
            a ^= 0x11EDC6F41 * (a >> 32)
        return product

    folds, power = [], 2  # power: x^(2^k) modulo P
    for k in range(48):
        rest = times(power, 0x1EDC6F41)  # x^32 modulo P
        folds.append(((1 << k) + 32, [31 - i for i in range(32) if rest >> i & 1]))
        power = times(power, power)
    return folds


FOLDS = fold_table()


def crc32c(data):
    """The message is one long integer, a polynomial over GF(2), the lowest bit the highest power.
    Its first bits, H * x^n, are replaced by H * (x^n modulo P): a few shifts and exclusive ors of
    long integers halve it. That is ten times as fast as table lookups for each byte."""
    bits = len(data) * 8 + 32
    value = int.from_bytes(data, "little") ^ 0xFFFFFFFF
    while bits > 96:
        keep, shifts = FOLDS[(bits - 33).bit_length() - 1]
        cut = bits - keep
        head = value & ((1 << cut) - 1)
        folded = 0
        for shift in shifts:
            folded ^= head << shift
        value = value >> cut ^ folded << keep - cut - 31
        bits = keep
    for _ in range(bits - 32):
        value = value >> 1 ^ (value & 1) * 0x82F63B78
    return value ^ 0xFFFFFFFF


def sum_is_right(data, at):
    """The sum at `at` is that of all of `data` with the sum itself as zero."""
    return crc32c(data[:at] + bytes(4) + data[at + 4:]) == int.from_bytes(data[at:at + 4], "little")


def segment_end(mark):
    return mark.at + 2 * BLOCK + mark.payload + mark.index + -mark.index % BLOCK


def record_at(data, at, place):
    """The record at `at` of `data`, if it is right. `place`: where that is in the segment."""
    if data[at:at + 4] != b"DREC" or at + RECORD_FORMAT.size > len(data):
        return None
    _, version, _, length, _, offset = RECORD_FORMAT.unpack_from(data, at)
    record = data[at:at + length]
    if version != VERSION or offset != place or length < 24 or length % 8 or len(record) < length:
        return None
    if not sum_is_right(record, 12):
        return None
    try:
        BODIES.get(kind_of(record), bytes)(record)
    except (struct.error, ValueError):
        return None
    return record


def kind_of(record):
    return int.from_bytes(record[6:8], "little")


def piece_of(record, at, length):
    if at + length > len(record):
        raise ValueError("a length leads out of the record")
    return record[at:at + length]


def manifest(record, volume, segment, offset):
    fields = MANIFEST_FORMAT.unpack_from(record, 24)
    path, target = fields[-5:-3]
    return File(volume, segment, offset, len(record), piece_of(record, 208, path),
                piece_of(record, 208 + path, target), *fields)


def manifest_body(record):
    """The xattrs, extents and parts of a manifest."""
    path, target, xattrs, extents, parts = struct.unpack_from("<IIIII", record, 184)
    at, attributes, listed = 208 + len(piece_of(record, 208, path + target)), [], []
    for _ in range(xattrs):
        name, value = struct.unpack_from("<H2xI", record, at)
        attributes.append((piece_of(record, at + 8, name), piece_of(record, at + 8 + name, value)))
        at += 8 + name + value
    extents, at = extents_at(record, at + -at % 8, extents)
    for _ in range(parts):
        listed.append(Part(*struct.unpack_from("<IIQQQ", record, at)))
        at += 32
    return attributes, extents, listed


def part_body(record):
    """Handle, file offset, span; extents."""
    *of_what, count = struct.unpack_from("<28s4xQQI", record, 24)
    return of_what, extents_at(record, 80, count)[0]


def link_body(record):
    handle, archived, length = struct.unpack_from("<28s4xQI", record, 24)
    return handle, archived, piece_of(record, 72, length)


BODIES = {MANIFEST: manifest_body, PART: part_body, LINK: link_body, GONE: GONE_FORMAT.unpack_from}


def extents_at(record, at, count):
    extents = []
    for _ in range(count):
        offset, length, payload = struct.unpack_from("<QQQ", record, at)
        many = -(-length // CHUNK)
        sums = piece_of(record, at + 24, many * 4)
        extents.append(Extent(offset, length, payload, struct.unpack("<%dI" % many, sums)))
        at += 24 + many * 4 + many % 2 * 4
    return sorted(extents), at


class Volume:
    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY)
        size = os.lseek(self.fd, 0, os.SEEK_END)  # of a block device too
        blocks = [self.read(at, BLOCK) for at in (0, BLOCK)]
        copies = [Superblock(*SUPERBLOCK_FORMAT.unpack_from(block)) for block in blocks
                  if block[:8] == b"DRAYVOL1" and len(block) == BLOCK and sum_is_right(block, 124)]
        known = [copy for copy in copies if copy.version == VERSION]
        if known:
            copy = max(known, key=lambda copy: copy.revision)
            self.archive, self.number, self.durable = copy.archive, copy.volume, copy.durable
            self.limit = min(copy.frontier, size)
        elif copies:
            raise Refused("%s: version %d is not known" % (path, copies[0].version))
        else:  # the first mark tells whose volume it is
            self.archive, self.durable, self.limit = None, 0, size
            mark = self.search(FIRST)
            if not mark:
                raise Refused("%s: not a volume" % path)
            self.archive, self.number = mark.archive, mark.volume
            Log.damage("both superblocks are damaged", self.number, None, 0)

    def read(self, offset, length):
        """Shorter only at the end. What the medium does not give is zeros, and fails its sum."""
        pieces, step = [], READ
        while length > 0:
            try:
                piece = os.pread(self.fd, min(length, step), offset)
            except OSError:
                if step > BLOCK:
                    step = BLOCK
                    continue
                piece = bytes(min(length, BLOCK - offset % BLOCK))
            if not piece:
                break
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)

    def mark(self, block, here, start):
        """The mark in `block` at offset `here`: a header, or a trailer of a segment that begins
        between `start` and here."""
        if len(block) < BLOCK or block[:8] not in (HEADER, TRAILER):
            return None
        mark = Mark(*MARK_FORMAT.unpack_from(block))
        if mark.version != VERSION or mark.payload % BLOCK or mark.index > INDEX_MAX:
            return None
        if segment_end(mark) > self.limit or not sum_is_right(block, 124):
            return None
        if self.archive and (mark.archive, mark.volume) != (self.archive, self.number):
            return None
        if mark.magic == HEADER:
            return mark if mark.at == here else None
        return mark if start <= mark.at and segment_end(mark) == here + BLOCK else None

    def search(self, start):
        for base in range(start, self.limit, READ):
            data = self.read(base, min(READ, self.limit - base))
            for at in range(0, len(data), BLOCK):
                if data[at:at + 4] == b"DRAY":
                    mark = self.mark(data[at:at + BLOCK], base + at, start)
                    if mark:
                        return mark
        return None

    def scan(self):
        """Finds the segments, raises `durable` to the highest seen, reports what is missing."""
        segments, gaps, at = [], [], FIRST
        while at < self.limit:
            mark = self.mark(self.read(at, BLOCK), at, at) or self.search(at)
            if not mark:
                break
            if mark.at > at:
                gaps.append((at, mark.at))
            at = segment_end(mark)
            header = mark if mark.magic == HEADER else None
            trailer = self.mark(self.read(at - BLOCK, BLOCK), at - BLOCK, mark.at)
            if trailer and trailer[1:-2] != mark[1:-2]:  # all but magic and sums
                trailer = None
            self.durable = max(self.durable, mark.durable)
            segments.append((mark, header, trailer))
        if at < self.durable:
            gaps.append((at, self.durable))
        for start, end in gaps:
            if start < self.durable:
                Log.damage("no segment found from here to %d" % end, self.number, start)
            else:
                Log.note("note: volume %d: torn from %d to %d" % (self.number, start, end))
        return segments

    def records(self):
        """(offset of the segment, offset, record) of each record that counts."""
        for mark, header, trailer in self.scan():
            found, problems = self.index(mark, header, trailer)
            durable = segment_end(mark) <= self.durable
            if not durable and (problems or not self.data_is_right(mark.at, found)):
                Log.note("note: volume %d: torn segment at %d" % (self.number, mark.at))
                continue
            for what, offset in problems:
                Log.damage(what, self.number, mark.at, offset)
            for at, record in found:
                if durable or self.parts_are_right(record):
                    yield mark.at, at, record
                else:
                    Log.note("note: volume %d: manifest of torn parts at %d" % (self.number, at))

    def index(self, mark, header, trailer):
        """The valid records of a segment with their offsets, and what is wrong in it."""
        place = BLOCK + mark.payload
        base = mark.at + place
        problems = [] if header else [("the header is damaged", mark.at)]
        if not trailer:
            problems.append(("the trailer is damaged", segment_end(mark) - BLOCK))
        if mark.kind not in WITH_RECORDS:
            return [], problems
        data = self.read(base, mark.index)
        if trailer and crc32c(data) != trailer.index_sum:
            problems.append(("the sum of the index is wrong", base))
        found, at, damaged = [], 0, False
        while at < len(data):
            record = record_at(data, at, place + at)
            if record:
                found.append((base + at, record))
            elif not damaged:
                problems.append(("a record is damaged", base + at))
            damaged = not record
            at += len(record) if record else 8
        if len(found) != mark.records:
            problems.append(("%d records of %d" % (len(found), mark.records), base))
        return found, problems

    def data_is_right(self, segment, found):
        """Of records of one segment."""
        return all(right for _, record in found if kind_of(record) in (MANIFEST, PART)
                   for extent in BODIES[kind_of(record)](record)[1]
                   for _, _, right in self.chunks(segment, extent))

    def parts_are_right(self, record):
        """Whether, if this is a manifest, its parts in this volume are right."""
        for part in manifest_body(record)[2] if kind_of(record) == MANIFEST else ():
            if part.volume == self.number and part.record + part.length > self.durable:
                segment, found = self.part(record[24:52], part)
                if not found or not self.data_is_right(segment, [(part.record, found)]):
                    return False
        return True

    def part(self, handle, part):
        """The offset of its segment, and its record if that is right."""
        data = self.read(part.record, part.length)
        place = int.from_bytes(data[16:24], "little")
        record = record_at(data, 0, place)
        right = record and kind_of(record) == PART and part_body(record)[0] == [handle, *part[3:]]
        return part.record - place, record if right else None

    def chunks(self, segment, extent):
        """(offset in the file, data, whether its sum is right), chunk by chunk."""
        for number, expected in enumerate(extent.sums):
            done = number * CHUNK
            length = min(CHUNK, extent.length - done)
            data = self.read(segment + extent.payload + done, length)
            yield extent.offset + done, data, len(data) == length and crc32c(data) == expected


class Archive:
    """What counts in volumes of one archive."""

    def __init__(self, paths):
        self.volumes, self.manifests, self.links = {}, [], []
        self.gone, self.dropped = set(), {}  # single manifests; handle to time
        for path in paths:
            volume = Volume(path)
            if any(volume.archive != other.archive for other in self.volumes.values()):
                raise Refused("%s: of another archive" % path)
            if volume.number in self.volumes:
                raise Refused("%s: volume %d is given twice" % (path, volume.number))
            self.volumes[volume.number] = volume
        for number, volume in self.volumes.items():
            for segment, at, record in volume.records():
                self.take(record, number, segment, at)
        self.names = self.resolve()

    def take(self, record, number, segment, at):
        kind = kind_of(record)
        if kind == MANIFEST:
            self.manifests.append(manifest(record, number, segment, at))
        elif kind == GONE:
            handle, volume, offset, removed = GONE_FORMAT.unpack_from(record)
            if volume:
                self.gone.add((handle, volume, offset))
            else:
                self.dropped[handle] = max(removed, self.dropped.get(handle, 0))
        elif kind == LINK:
            handle, archived, path = link_body(record)
            self.links.append(((archived, number, at), handle, path))

    def resolve(self):
        """Path to file. The latest archived counts: for each handle, then for each path."""
        order = operator.attrgetter("archived", "volume", "offset")
        files, names = {}, {}
        for file in sorted(self.manifests, key=order):
            gone = (file.handle, file.volume, file.offset) in self.gone
            if not gone and file.archived > self.dropped.get(file.handle, -1):
                files[file.handle] = file
        claims = [(order(file), file.handle, file.path) for file in files.values()]
        claims += [link for link in self.links if link[1] in files]
        for _, handle, path in sorted(claims):
            names[path] = files[handle]
        return names

    def body(self, file):
        return manifest_body(self.volumes[file.volume].read(file.offset, file.length))

    def content(self, file):
        """(offset, data) of all that is right, in order; what is wrong is reported."""
        _, extents, parts = self.body(file)
        yield from self.checked(file, file.volume, file.segment, extents)
        for part in parts:
            if part.volume not in self.volumes:
                Log.error("file %s, offset %d: volume %d is needed"
                          % (escape(file.path), part.offset, part.volume))
                continue
            segment, record = self.volumes[part.volume].part(file.handle, part)
            if record:
                yield from self.checked(file, part.volume, segment, part_body(record)[1])
            else:
                Log.damage("the record at %d of a part of %d bytes is damaged"
                           % (part.record, part.span), part.volume, None, part.offset, file.path)

    def checked(self, file, number, segment, extents):
        for extent in extents:
            for offset, data, right in self.volumes[number].chunks(segment, extent):
                if right:
                    yield offset, data[:max(0, file.size - offset)]
                else:
                    Log.damage("the sum of the data is wrong", number, segment, offset, file.path)


@contextlib.contextmanager
def held(fd):
    try:
        yield fd
    finally:
        os.close(fd)


def names_of(path):
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if b".." in names or not names:
        raise ValueError("refused: the path has '..' or no name")
    return names


def open_directory(root, names):
    """Opens and makes directories name by name, never through a symbolic link."""
    fd = os.dup(root)
    for name in names:
        with held(fd):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=fd)
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
    return fd


def times(file):
    accessed = file.accessed * 10**9 + file.accessed_nanos
    return accessed, file.modified * 10**9 + file.modified_nanos


def set_attributes(fd, archive, file):
    mode = file.mode & 0o7777
    try:
        os.chown(fd, file.uid, file.gid)
    except PermissionError:
        mode &= 0o1777  # no set-id bits for another owner
    for name, value in archive.body(file)[0]:
        if name.startswith((b"user.", b"system.posix_acl_")) and hasattr(os, "setxattr"):
            try:
                os.setxattr(fd, name, value)
            except OSError as error:
                Log.note("note: %s: %s: %s" % (escape(file.path), escape(name), error.strerror))
    os.chmod(fd, mode)
    os.utime(fd, ns=times(file))


def make_file(archive, file, fd, name):
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with held(os.open(name, flags, 0o600, dir_fd=fd)) as inner:
        os.ftruncate(inner, file.size)
        for offset, data in archive.content(file):
            while data:
                done = os.pwrite(inner, data, offset)
                offset, data = offset + done, data[done:]
        set_attributes(inner, archive, file)


def make_other(file, fd, name):
    if file.type == SYMLINK:
        os.symlink(file.target, name, dir_fd=fd)
    else:
        os.mknod(name, SPECIAL[file.type] | 0o600, file.rdev, dir_fd=fd)
    with contextlib.suppress(PermissionError):
        os.chown(name, file.uid, file.gid, dir_fd=fd, follow_symlinks=False)
    if file.type != SYMLINK:
        os.chmod(name, file.mode & 0o1777, dir_fd=fd)
    os.utime(name, ns=times(file), dir_fd=fd, follow_symlinks=False)


def make(archive, file, path, root, made):
    *parents, name = names_of(path)
    with held(open_directory(root, parents)) as fd:
        if file.handle in made:
            *others, old = names_of(made[file.handle])
            with held(open_directory(root, others)) as source:
                os.link(old, name, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
        elif file.type == REGULAR:
            make_file(archive, file, fd, name)
        elif file.type == SYMLINK or file.type in SPECIAL:
            make_other(file, fd, name)
        elif file.type == DIRECTORY:
            os.close(open_directory(fd, [name]))
        else:
            raise ValueError("type %d is not known" % file.type)
    if file.type != DIRECTORY:
        made.setdefault(file.handle, path)


def extract(archive, to, wanted):
    names = sorted(archive.names.items())
    if wanted:
        wanted = [b"/" + os.fsencode(path).strip(b"/") for path in wanted]
        chosen = {}
        for want in wanted:
            below = want.rstrip(b"/") + b"/"
            some = [item for item in names if item[0] == want or item[0].startswith(below)]
            chosen.update(some)
            if not some:
                Log.error("%s: not in the archive" % escape(want))
        names = sorted(chosen.items())
    os.makedirs(to, exist_ok=True)
    made = {}
    with held(os.open(to, os.O_RDONLY | os.O_DIRECTORY)) as root:
        directories = [item for item in reversed(names) if item[1].type == DIRECTORY]
        for number, (path, file) in enumerate(names + directories):
            try:
                if number < len(names):
                    make(archive, file, path, root, made)
                else:  # attributes of directories when all is in them, the inner ones first
                    with held(open_directory(root, names_of(path))) as fd:
                        set_attributes(fd, archive, file)
            except (OSError, ValueError, OverflowError, struct.error) as error:
                Log.error("%s: %s" % (escape(path), getattr(error, "strerror", None) or error))


def cat(archive, path):
    wanted = b"/" + os.fsencode(path).lstrip(b"/")
    file = archive.names.get(wanted)
    if not file or file.type != REGULAR:
        Log.error("%s: not a file in the archive" % escape(wanted))
        return
    out, done = sys.stdout.buffer, 0

    def fill(upto):
        for at in range(done, upto, READ):
            out.write(bytes(min(READ, upto - at)))

    for offset, data in archive.content(file):
        fill(offset)
        out.write(data)
        done = offset + len(data)
    fill(file.size)
    out.flush()


def json_path(path):
    try:
        return path.decode()
    except UnicodeDecodeError:
        return {"hex": path.hex()}


def show(archive, as_json):
    for path, file in sorted(archive.names.items()):
        kind = KINDS.get(file.type, "unknown")
        line = "%s\t%d\t%s" % (kind, file.size, escape(path))
        if as_json:
            inode, generation = struct.unpack_from("<QI", file.handle, 16)
            line = json.dumps({
                "path": json_path(path), "kind": kind, "size": file.size, "inode": inode,
                "generation": generation, "volume": file.volume, "manifest": file.offset,
                "mode": file.mode, "uid": file.uid, "gid": file.gid, "mtime": file.modified,
                "mtime_nanos": file.modified_nanos})
        sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description="Reads the volumes of an archive.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("list", "extract", "cat"):
        command = commands.add_parser(name)
        command.add_argument("volumes", metavar="VOLUME", nargs="+")
        if name == "list":
            command.add_argument("--json", action="store_true", help="one object per line")
        elif name == "extract":
            command.add_argument("--to", metavar=("DIR", "PATH"), nargs="+", required=True)
        else:
            command.add_argument("path", metavar="PATH")
    options = parser.parse_args()
    try:
        archive = Archive(options.volumes)
        if options.command == "list":
            show(archive, options.json)
        elif options.command == "extract":
            extract(archive, options.to[0], options.to[1:])
        else:
            cat(archive, options.path)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Refused, OSError) as error:
        Log.error(str(error))
        return 2
    return 1 if Log.failed else 0


if __name__ == "__main__":
    sys.exit(main())
