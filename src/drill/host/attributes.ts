/**
 * The immutable attribute of files, reached by descriptors: ioctl_iflags(2). Node has no ioctl, and chattr(1) takes names,
 * which may be another file's by then; so perl(1), which has one, opens what our descriptors stand for.
 */
import { spawnSync } from 'node:child_process'
import { HostError } from '../../errors.js'

/** FS_IOC_GETFLAGS and FS_IOC_SETFLAGS are numbered so on these, and otherwise on others. */
const ARCHITECTURES = ['x64', 'arm64', 'riscv64', 's390x']
/** Descriptors that are looked at by one program. */
export const AT_A_TIME = 256

/**
 * For each descriptor of its parent a line: 1 or 0, or the negative number of an error. Where somebody has a lease on a file
 * (samba's oplocks) an open without waiting (O_NONBLOCK) only asks for it; so all are asked first, and then waited for. The
 * kernel takes a lease away that is not given back: /proc/sys/fs/lease-break-time, 45 s.
 */
const SCRIPT = `
my ($wanted, $owner, @numbers) = @ARGV;
my ($get, $set, $immutable, $again) = (0x80086601, 0x40086602, 0x10, -11);
sub attribute {
  my ($number, $waiting) = @_;
  my $flags = pack('L', 0);
  sysopen(my $file, "/proc/$owner/fd/$number", $waiting) or return -$!;
  ioctl($file, $get, $flags) or return -$!;
  my $had = unpack('L', $flags);
  return $had & $immutable ? 1 : 0 if $wanted eq 'get';
  my $new = $wanted eq 'set' ? $had | $immutable : $had & ~$immutable;
  ioctl($file, $set, pack('L', $new)) or return -$!;
  return $new & $immutable ? 1 : 0;
}
my @answers = map { attribute($_, 04000) } @numbers;
for (keys @numbers) { $answers[$_] = attribute($numbers[$_], 0) if $answers[$_] == $again }
print $_ + 0, "\\n" for @answers;
`

/** Whether a file has the attribute; the negative number of an error where that cannot be told, or changed. */
export type Answer = boolean | number

/**
 * Asks for the attribute of files, or gives it to them, or takes it away. It blocks for some milliseconds, and for as long as
 * somebody keeps a lease on one.
 * @param fds AT_A_TIME at most, of files or directories; O_PATH is enough
 * @returns how each of them is then
 * @throws HostError where there is no perl, or an architecture that this is not written for
 */
export function immutability(wanted: 'get' | 'set' | 'clear', fds: readonly number[]): Answer[] {
  if (!ARCHITECTURES.includes(process.arch)) {
    throw new HostError(`the immutable attribute is not reached on ${process.arch}`, {
      hint: 'choose drill permissions, or drill readonly',
    })
  }
  const args = ['-e', SCRIPT, wanted, String(process.pid), ...fds.map(String)]
  const { status, stdout, error, stderr } = spawnSync('perl', args, { encoding: 'latin1', cwd: '/' })
  if (error !== undefined || status !== 0) {
    throw new HostError(`perl is needed for the immutable attribute: ${error?.message ?? stderr.trim()}`, {
      hint: 'apt-get install perl',
      cause: error,
    })
  }
  return stdout
    .trim()
    .split('\n')
    .map(Number)
    .map((value) => (value < 0 ? value : value === 1))
}
