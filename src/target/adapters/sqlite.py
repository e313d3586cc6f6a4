"""SQLite as a target, by Python's own sqlite3 module. Python 3.8 or later, standard library only.

WAL and synchronous=FULL: https://www.sqlite.org/pragma.html#pragma_synchronous says that a commit then survives a
loss of power. Result codes: https://www.sqlite.org/rescode.html
"""

import json
import os
import sqlite3
import sys
from urllib.parse import quote

BUSY_SECONDS = 2

KINDS = {
    "SQLITE_PERM": "permission",
    "SQLITE_BUSY": "busy",
    "SQLITE_LOCKED": "busy",
    "SQLITE_NOMEM": "out-of-memory",
    "SQLITE_READONLY": "read-only",
    "SQLITE_IOERR": "io",
    "SQLITE_CORRUPT": "corruption",
    "SQLITE_FULL": "disk-full",
    "SQLITE_CANTOPEN": "permission",
    "SQLITE_AUTH": "permission",
    "SQLITE_NOTADB": "corruption",
}

# Before Python 3.11 an error has no code, only SQLite's own text for the primary one.
CODES_BY_MESSAGE = {
    "access permission denied": "SQLITE_PERM",
    "database is locked": "SQLITE_BUSY",
    "database table is locked": "SQLITE_LOCKED",
    "out of memory": "SQLITE_NOMEM",
    "attempt to write a readonly database": "SQLITE_READONLY",
    "disk I/O error": "SQLITE_IOERR",
    "database disk image is malformed": "SQLITE_CORRUPT",
    "database or disk is full": "SQLITE_FULL",
    "unable to open database file": "SQLITE_CANTOPEN",
    "file is not a database": "SQLITE_NOTADB",
}

WRITES = ("put", "delete", "batch")
UNRECOVERABLE = ("corruption", "internal", "unsupported")


class Busy(sqlite3.OperationalError):
    sqlite_errorname = "SQLITE_BUSY"


class Store:
    def __init__(self):
        self.db = None

    def hello(self, request):
        ops = ["put", "get", "delete", "batch", "scan", "sync", "compact"]
        return {"protocol": 1, "name": "sqlite", "version": sqlite3.sqlite_version, "ops": ops}

    def open(self, request):
        file = os.path.join(request["dir"], "kv.db")
        # In exclusive mode SQLite locks for writing, which on a file that it could open for reading only is an I/O error.
        if os.path.exists(file) and not os.access(file, os.W_OK):
            self.db = connect_read_only(file)
            return {"mode": "read-only"}
        try:
            self.db = connect(file)
            return {"mode": "read-write"}
        except sqlite3.Error as error:
            if kind_of(code_of(error), "open") not in ("permission", "read-only"):
                raise
            self.db = connect_read_only(file, error)
            return {"mode": "read-only"}

    def put(self, request):
        self.db.execute(PUT, (request["key"], request["value"]))

    def delete(self, request):
        self.db.execute(DELETE, (request["key"],))

    def batch(self, request):
        self.db.execute("BEGIN IMMEDIATE")
        try:
            for verb, *values in request["ops"]:
                self.db.execute(PUT if verb == "put" else DELETE, values)
            self.db.execute("COMMIT")
        except sqlite3.Error:
            # Some errors have rolled back by themselves: https://www.sqlite.org/lang_transaction.html
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def get(self, request):
        row = self.db.execute("SELECT value FROM kv WHERE key = ?", (request["key"],)).fetchone()
        return {"value": row and row[0]}

    def scan(self, request):
        limit = request["limit"]
        if "after" in request:
            values = (request["after"], limit)
            rows = self.db.execute("SELECT key, value FROM kv WHERE key > ? ORDER BY key LIMIT ?", values)
        else:
            rows = self.db.execute("SELECT key, value FROM kv ORDER BY key LIMIT ?", (limit,))
        return {"entries": rows.fetchall()}

    def sync(self, request):
        """Nothing is left to do: each commit was synced before it was acked."""

    def compact(self, request):
        busy, _, _ = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Busy("another connection is reading")

    def close(self, request):
        if self.db is not None:
            self.db.close()
            self.db = None


PUT = "INSERT INTO kv(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"
DELETE = "DELETE FROM kv WHERE key = ?"


def connect(file):
    db = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        # The index of the WAL is then in the heap. In shared memory, which is a mapped file, SQLite dies of SIGBUS where
        # a page of it can't be written: a full btrfs, a quota, chattr +i. One process has the database open anyway.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        # SQLite opens a file that it may not write without a word; a write that changes nothing asks it.
        db.execute("DELETE FROM kv WHERE 0")
        return db
    except sqlite3.Error:
        db.close()
        raise


def connect_read_only(file, why=None):
    db = sqlite3.connect("file:" + quote(file) + "?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("SELECT key FROM kv LIMIT 1").fetchone()
        return db
    except sqlite3.Error:
        db.close()
        if why is None:
            raise
        raise why


def code_of(error):
    return getattr(error, "sqlite_errorname", None) or CODES_BY_MESSAGE.get(str(error), "SQLITE_ERROR")


def kind_of(code, op):
    # "May indicate that the underlying filesystem volume is out of space", says rescode.html. While a write commits
    # it is unknown what it means for that write: its frames are in the log already.
    if code == "SQLITE_IOERR_SHMSIZE" and op not in WRITES:
        return "disk-full"
    primary = "_".join(code.split("_")[:2])
    return KINDS.get(primary, "internal")


def error_of(error, op):
    if isinstance(error, MemoryError):
        code = "SQLITE_NOMEM"
    else:
        code = code_of(error)
    kind = kind_of(code, op)
    return {"code": code, "kind": kind, "recoverable": kind not in UNRECOVERABLE, "message": str(error)}


def main():
    store = Store()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        op = request["op"]
        handler = None if op.startswith("_") else getattr(store, op, None)
        if callable(handler):
            try:
                body = {"ok": True, **(handler(request) or {})}
            except Exception as error:
                body = {"ok": False, "error": error_of(error, op)}
        else:
            message = "unknown operation '%s'" % op
            error = {"code": "UNSUPPORTED", "kind": "unsupported", "recoverable": False, "message": message}
            body = {"ok": False, "error": error}
        answer = json.dumps({"id": request["id"], **body}, ensure_ascii=False, separators=(",", ":"))
        sys.stdout.buffer.write(answer.encode() + b"\n")
        sys.stdout.buffer.flush()


main()
