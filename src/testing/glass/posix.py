"""What databases want of a file system, asked of the one that DIRECTORY is on. Ends with an error at the first surprise."""
import ctypes
import errno
import fcntl
import mmap
import os
import sqlite3
import subprocess
import sys

directory = sys.argv[1]
os.chdir(directory)
libc = ctypes.CDLL(None, use_errno=True)


def create(name, data=b''):
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.write(fd, data)
    return fd


def content(name):
    with open(name, 'rb') as file:
        return file.read()


def refused(number, call):
    try:
        call()
    except OSError as error:
        assert error.errno == number, (number, error)
        return
    raise AssertionError(f'{errno.errorcode[number]} was expected')


def other(code):
    """Runs Python code in another process. Gives its exit code."""
    return subprocess.run([sys.executable, '-c', code], capture_output=True, check=False).returncode


def shared_mappings():
    fd = create('mapped', bytes(8192))
    with mmap.mmap(fd, 8192) as one:
        one[4000:4010] = b'0123456789'
        one.flush()
        assert content('mapped')[4000:4010] == b'0123456789'
        os.pwrite(fd, b'written', 5000)
        assert one[5000:5007] == b'written'
        change = "import mmap,os; mmap.mmap(os.open('mapped', os.O_RDWR), 8192)[0:5] = b'other'"
        assert other(change) == 0
        assert one[0:5] == b'other'


def locks_between_processes():
    fd = create('locked')
    for lock, test in (
        (lambda: fcntl.flock(fd, fcntl.LOCK_EX), 'fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)'),
        (lambda: fcntl.lockf(fd, fcntl.LOCK_EX, 10, 20), 'fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 25)'),
    ):
        lock()
        assert other(f"import fcntl; f = open('locked', 'r+b'); {test}") == 1
    assert other("import fcntl; f = open('locked', 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 31)") == 0


def appends_of_many():
    fd = create('appended')
    write = "import os; f = os.open('appended', os.O_WRONLY | os.O_APPEND); [os.write(f, b'x' * 100) for _ in range(200)]"
    writers = [subprocess.Popen([sys.executable, '-c', write]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert os.fstat(fd).st_size == 4 * 200 * 100


def files_without_a_name():
    fd = create('unlinked', b'still there')
    os.unlink('unlinked')
    assert os.pread(fd, 100, 0) == b'still there'
    assert os.fstat(fd).st_nlink == 0
    fd = os.open('.', os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b'named later')
    here, follow = -100, 0x400
    assert libc.linkat(here, f'/proc/self/fd/{fd}'.encode(), here, b'named', follow) == 0
    assert content('named') == b'named later'


def holes():
    fd = create('sparse')
    os.ftruncate(fd, 1 << 30)
    os.pwrite(fd, b'x' * 4096, 512 << 20)
    assert os.fstat(fd).st_blocks == 8
    assert os.lseek(fd, 0, os.SEEK_DATA) == 512 << 20
    assert os.lseek(fd, 512 << 20, os.SEEK_HOLE) == (512 << 20) + 4096
    punch = 1 | 2
    assert libc.fallocate(fd, punch, ctypes.c_long(512 << 20), ctypes.c_long(4096)) == 0
    assert os.fstat(fd).st_blocks == 0
    refused(errno.ENXIO, lambda: os.lseek(fd, 0, os.SEEK_DATA))
    os.posix_fallocate(fd, 0, 1 << 20)
    assert os.fstat(fd).st_blocks == (1 << 20) // 512
    refused(errno.ENOSPC, lambda: os.posix_fallocate(fd, 0, 1 << 30))


def direct_io():
    fd = os.open('direct', os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    page = mmap.mmap(-1, 8192)
    page[:] = b'd' * 8192
    assert os.pwrite(fd, page, 4096) == 8192
    assert content('direct') == bytes(4096) + b'd' * 8192
    assert os.preadv(fd, [page], 0) == 8192
    assert page[:4096] == bytes(4096)


def names():
    create('one', b'1')
    create('two', b'2')
    exchange, no_replace = 2, 1
    at = -100
    assert libc.renameat2(at, b'one', at, b'two', exchange) == 0
    assert (content('one'), content('two')) == (b'2', b'1')
    assert libc.renameat2(at, b'one', at, b'two', no_replace) == -1 and ctypes.get_errno() == errno.EEXIST
    os.mkdir('directory')
    refused(errno.ENOTEMPTY, lambda: (create('directory/file'), os.rmdir('directory')))
    os.symlink('two', 'link')
    assert content('link') == b'1'
    os.setxattr('two', 'user.name', b'value')
    assert os.getxattr('two', 'user.name') == b'value' and os.listxattr('two') == ['user.name']
    many = os.path.join('directory', 'many')
    os.mkdir(many)
    for number in range(3000):
        os.close(create(os.path.join(many, str(number))))
    assert len(os.listdir(many)) == 3000
    os.utime('two', ns=(1_234_567_890_123_456_789, 987_654_321_987_654_321))
    assert os.stat('two').st_mtime_ns == 987_654_321_987_654_321


def databases():
    for mode in ('wal', 'delete'):
        writers = [sqlite3.connect(f'{mode}.db', timeout=30, isolation_level=None) for _ in range(2)]
        writers[0].execute(f'pragma journal_mode={mode}')
        writers[0].execute('create table t(a integer primary key, b text)')
        for number in range(300):
            writers[number % 2].execute('insert into t(b) values(?)', ('x' * number,))
        assert writers[0].execute('select count(*) from t').fetchone() == (300,)
        assert writers[1].execute('pragma integrity_check').fetchone() == ('ok',)


for check in (
    shared_mappings,
    locks_between_processes,
    appends_of_many,
    files_without_a_name,
    holes,
    direct_io,
    names,
    databases,
):
    check()
    print(check.__name__)
