"""One workload for bench/glass.js: DIRECTORY WORKLOAD SECONDS. Prints operations a second."""
import os
import sqlite3
import sys
import time

directory, workload, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
path = os.path.join(directory, 'file')
BLOCK = bytes(4096)
FILE_BLOCKS = 16384


def timed(step):
    count, start = 0, time.monotonic()
    end = start + seconds
    while time.monotonic() < end:
        for _ in range(20):
            step(count)
            count += 1
    return count / (time.monotonic() - start)


def append():
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    record = bytes(128)

    def step(_):
        os.write(fd, record)
        os.fdatasync(fd)

    return timed(step)


def write():
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    return timed(lambda n: os.pwrite(fd, BLOCK, n % FILE_BLOCKS * 4096))


def pread():
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for _ in range(FILE_BLOCKS // 256):
        os.write(fd, BLOCK * 256)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    # each block once, so that none comes from the page cache
    count, start = 0, time.monotonic()
    while count < FILE_BLOCKS and time.monotonic() < start + seconds:
        os.pread(fd, 4096, count * 10007 % FILE_BLOCKS * 4096)
        count += 1
    return count / (time.monotonic() - start)


def rename():
    names = os.open(directory, os.O_RDONLY)

    def step(_):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.write(fd, bytes(128))
        os.fsync(fd)
        os.close(fd)
        os.rename(path, path + '-renamed')
        os.fsync(names)

    return timed(step)


def sqlite(mode):
    for suffix in ('', '-wal', '-shm', '-journal'):
        if os.path.exists(path + '.db' + suffix):
            os.unlink(path + '.db' + suffix)
    connection = sqlite3.connect(path + '.db', isolation_level=None)
    connection.execute(f'pragma journal_mode={mode}')
    connection.execute('pragma synchronous=full')
    connection.execute('create table t(a integer primary key, b text)')
    start = time.monotonic()
    for _ in range(2000):
        connection.execute('insert into t(b) values(?)', ('x' * 100,))
    return 2000 / (time.monotonic() - start)


WORKLOADS = {
    'append+fdatasync': append,
    'write-4k': write,
    'pread-4k': pread,
    'rename-cycle': rename,
    'sqlite-wal': lambda: sqlite('wal'),
    'sqlite-rollback': lambda: sqlite('delete'),
}
print(WORKLOADS[workload]())
