#!/usr/bin/env python3
"""Drives a database for lightning-chaos: requests are lines of JSON on stdin, answers are lines of JSON on stdout. The
protocol is in docs/target-protocol.md of lightning-chaos.

Between the two rules stands a small append-only log, so that all of this works from the start. Put calls of your own
database in its place, and hand on the errors that it gives: one that you make up hides what you are looking for.
"""
import errno
import json
import os
import sys
import zlib

# ----------------------------------------------------------------------------------------------------------------------


class Corruption(Exception):
    pass


class Store:
    def __init__(self):
        self.table = {}
        self.path = None
        self.log = None  # a descriptor, where this is the writer
        self.end = 0  # where the last whole line ends
        self.sync_failed = False  # after that nobody knows what is on the disk, until it is read again

    def open(self, directory):
        self.close()
        self.path = os.path.join(directory, "log")
        self.sync_failed = False
        try:
            self.become_writer()
            return "read-write"
        except OSError as error:
            readable = kind_of(error) in ("disk-full", "quota", "permission", "read-only")
            if not readable or not os.path.exists(self.path):
                raise
            self.load()
            return "read-only"

    def become_writer(self):
        if self.log is not None:
            return
        log = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            sync_directory(os.path.dirname(self.path))
            self.load()
        except BaseException:
            os.close(log)
            raise
        self.log = log

    def load(self):
        """What follows the last whole line is half of a write that was never acked; what comes before one is damage."""
        with open(self.path, "rb") as file:
            data = file.read()
        self.table, self.end = {}, 0
        start = 0
        while (line_end := data.find(b"\n", start)) >= 0:
            changes = decode(data[start:line_end])
            if changes is not None and start > self.end:
                raise Corruption(f"{self.path} is damaged at byte {self.end}")
            start = line_end + 1
            if changes is not None:
                self.apply(changes)
                self.end = start

    def write(self, changes):
        """All of the changes or none: on the disk first, then in the table."""
        if self.sync_failed:
            raise OSError(errno.EIO, "an fsync failed before")
        self.become_writer()
        self.cut()
        line = encode(changes)
        try:
            done = 0
            while done < len(line):
                done += os.pwrite(self.log, line[done:], self.end + done)
        except OSError:
            self.try_to_cut()
            raise
        try:
            os.fsync(self.log)
        except OSError as error:
            self.sync_failed = True
            self.try_to_cut()
            raise OSError(errno.EIO, f"fsync: {error}") from error
        self.end += len(line)
        self.apply(changes)

    def cut(self):
        """Takes away what lies behind the last whole line: a write that was refused may not come back."""
        if os.fstat(self.log).st_size > self.end:
            os.ftruncate(self.log, self.end)

    def try_to_cut(self):
        try:
            self.cut()
        except OSError:
            pass  # even that may need room; the next write cuts first

    def apply(self, changes):
        for key, value in changes:
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value

    def scan(self, after, limit):
        """In the order of the keys' UTF-8 bytes."""
        keys = sorted(self.table, key=str.encode)
        if after is not None:
            keys = [key for key in keys if key.encode() > after.encode()]
        return [[key, self.table[key]] for key in keys[:limit]]

    def close(self):
        if self.log is not None:
            os.close(self.log)
        self.log = None


def sync_directory(directory):
    """The name of a new file has to survive, too."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def encode(changes):
    """A checksum, a space, and a list of changes: [key, value], or [key, null] for a delete."""
    text = json.dumps(changes).encode()
    return b"%d %s\n" % (zlib.crc32(text), text)


def decode(line):
    checksum, _, text = line.partition(b" ")
    return json.loads(text) if checksum == b"%d" % zlib.crc32(text) else None


KINDS = {
    errno.ENOSPC: "disk-full",
    errno.EFBIG: "disk-full",
    errno.EDQUOT: "quota",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "read-only",
    errno.EMFILE: "too-many-files",
    errno.ENFILE: "too-many-files",
    errno.EIO: "io",
}


def kind_of(error):
    if isinstance(error, Corruption):
        return "corruption"
    return KINDS.get(getattr(error, "errno", None), "internal")


# ----------------------------------------------------------------------------------------------------------------------

store = Store()


def acked(changes):
    """Ok means acked: durable, whatever happens next."""
    store.write(changes)
    return {}


def close(_):
    store.close()
    return {}


# What hello lists beside put, get and scan is asked for; leave out what your database cannot do.
HELLO = {"protocol": 1, "name": "my-database", "version": "1.0", "ops": ["put", "get", "scan", "delete", "batch"]}
OPERATIONS = {
    "hello": lambda request: HELLO,
    "open": lambda request: {"mode": store.open(request["dir"])},
    "put": lambda request: acked([[request["key"], request["value"]]]),
    "get": lambda request: {"value": store.table.get(request["key"])},
    "scan": lambda request: {"entries": store.scan(request.get("after"), request["limit"])},
    "delete": lambda request: acked([[request["key"], None]]),
    "batch": lambda request: acked([[op[1], op[2] if op[0] == "put" else None] for op in request["ops"]]),
    "close": close,
}


def answer(request):
    operation = OPERATIONS.get(request["op"])
    if operation is None:
        code, kind, message = "UNSUPPORTED", "unsupported", f"unknown operation {request['op']}"
    else:
        try:
            return {"ok": True, **operation(request)}
        except Exception as error:
            kind = kind_of(error)
            code = errno.errorcode.get(getattr(error, "errno", None), kind.upper())
            message = str(error)
    recoverable = kind not in ("internal", "unsupported", "corruption")
    return {"ok": False, "error": {"code": code, "kind": kind, "recoverable": recoverable, "message": message}}


for line in sys.stdin.buffer:
    request = json.loads(line)
    print(json.dumps({"id": request["id"], **answer(request)}), flush=True)
