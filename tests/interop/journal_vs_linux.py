#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The journal against others that know the format.

ours     logs that we write into real images: debugfs reads them; e2fsck and Linux replay them; each makes of
         the blocks what was meant, and so do we
linux    logs that Linux leaves when the power is cut: we replay them as e2fsck does, block for block
fast     fast commits behind the log: refused by name when they would have to be replayed, else no matter
hostile  logs with changed bytes, checksums made right again or not: an answer, never a crash, and the image
         is as it was when the answer is no

Usage: journal_vs_linux.py JOURNAL_TOOL ours|linux|fast|hostile [--seed N] [--cases N]
"""
import argparse
import contextlib
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from ext4img import crc32c

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'oracle'))
from loopmount import Mounted, own_namespace

TOOLS = ('mke2fs', 'debugfs', 'e2fsck')
MAGIC = struct.pack('>I', 0xC03B3998)


def run(args, **kw):
    return subprocess.run(args, capture_output=True, text=True, errors='replace', **kw)


def must(args, codes=(0,)):
    r = run(args)
    if r.returncode not in codes:
        sys.exit(f"{' '.join(args)}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


class Bench:
    def __init__(self, tool):
        self.tool = os.path.abspath(tool)
        self.dir = tempfile.mkdtemp(prefix='extant-journal-')

    def path(self, name):
        return os.path.join(self.dir, name)

    def make(self, options, size='64M', name='image'):
        image = self.path(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(image)
        must(['mke2fs', '-q', '-F', '-t', 'ext4', *options.split(), image, size])
        return image

    def copy(self, image, name):
        must(['cp', '--sparse=always', image, self.path(name)])
        return self.path(name)

    def block_size(self, image):
        with open(image, 'rb') as f:
            f.seek(1024 + 0x18)
            return 1024 << struct.unpack('<I', f.read(4))[0]

    def journal(self, image):
        """The journal's blocks, and a file that has them."""
        blocks = [int(b) for b in must(['debugfs', '-R', 'blocks <8>', image]).split()]
        with open(image + '.map', 'w') as f:
            f.write(' '.join(map(str, blocks)))
        return blocks, image + '.map'

    def recover(self, image, command='recover'):
        _, where = self.journal(image)
        return run([self.tool, image, str(self.block_size(image)), where, command], timeout=120)


def is_root():
    return os.geteuid() == 0 and os.path.exists('/dev/loop-control')


def blocks_of(image, bs):
    with open(image, 'rb') as f:
        data = f.read()
    return [data[i:i + bs] for i in range(0, len(data), bs)]


def compare(what, a, b, bs, leave_out):
    """Two images, block by block; superblocks have times in them."""
    left, right = blocks_of(a, bs), blocks_of(b, bs)
    bad = [i for i, (x, y) in enumerate(zip(left, right)) if x != y and i not in leave_out]
    if bad:
        sys.exit(f'{what}: blocks {bad[:10]} differ ({len(bad)} in all)')


def superblocks(image, bs):
    found = {0, 1}
    for line in must(['dumpe2fs', image]).splitlines():
        m = re.search(r'superblock at (\d+)', line)
        if m:
            found.add(int(m.group(1)))
    return found


def free_blocks(image, count):
    """The last so many blocks that follow each other and belong to nobody."""
    runs = re.findall(r'(\d+)-(\d+)', ' '.join(re.findall(r'Free blocks: (.*)', must(['dumpe2fs', image]))))
    return max(int(end) - count + 1 for first, end in runs if int(end) - int(first) >= count), count


# ---- ours

OURS = [(sums, bits, mode, bs) for bs in (1024, 4096) for bits in ('32', '64')
        for sums in ('none', 'v1', 'v2', 'v3') for mode in ('sync', 'async')
        if not (sums == 'none' and mode == 'async')]


def region(image, bs, first, count):
    with open(image, 'rb') as f:
        f.seek(first * bs)
        return f.read(count * bs)


def check_logdump(image, sums):
    dump = run(['debugfs', '-R', 'logdump -a', image]).stdout
    found = len(re.findall(r'type 2 \(commit block\)', dump))
    if not found or 'logged at journal block' not in dump:
        sys.exit(f'debugfs does not read the log:\n{dump[-2000:]}')
    return found


def recover_or_exit(bench, image):
    r = bench.recover(image)
    if r.returncode:
        sys.exit(f'extant refuses its own log: {r.stderr}')
    return r.stdout


def ours(bench, args):
    for n, (sums, bits, mode, bs) in enumerate(OURS):
        features = '' if bits == '64' else '-O ^64bit '
        image = bench.make(f'-b {bs} {features}-J size=4', '32M')
        blocks, where = bench.journal(image)
        first, count = free_blocks(image, 300)
        expected = bench.path('expected')
        must([bench.tool, image, str(bs), where, 'write', sums, bits, mode, str(args.seed + n),
              str(first), str(count), expected])
        commits = check_logdump(image, sums)
        must(['debugfs', '-w', '-R', 'feature needs_recovery', image])
        with open(expected, 'rb') as f:
            want = f.read()
        judges = {'e2fsck': lambda i: must(['e2fsck', '-fy', i], (0, 1)),
                  'extant': lambda i: recover_or_exit(bench, i)}
        if is_root():
            def linux(i):
                with Mounted(i):
                    pass
            judges['Linux'] = linux
        for who, replay in judges.items():
            copy = bench.copy(image, 'copy')
            replay(copy)
            if region(copy, bs, first, count) != want:
                sys.exit(f'{who} makes something else of a log with sums {sums}, {bits} bits, {mode}, block {bs}')
            must(['e2fsck', '-fn', copy])
        print(f'sums {sums}, {bits} bits, {mode}, block {bs}: {commits} commits, {", ".join(judges)} agree')


# ---- linux

LINUX = [('', ''), ('-b 1024', ''), ('', 'data=journal'), ('-b 1024 -O ^64bit', 'data=journal'),
         ('-O ^metadata_csum', 'journal_checksum'), ('-O ^metadata_csum,^64bit', 'data=journal,journal_checksum'),
         ('-O ^metadata_csum', 'journal_async_commit,data=writeback'),
         ('', 'journal_async_commit,data=writeback'), ('-O ^metadata_csum,^64bit -b 2048', '')]


def work(where, rng, steps):
    """Changes of all sorts, with names and bytes that come again, and blocks that look like the journal's."""
    for i in range(steps):
        what, name = rng.randrange(10), os.path.join(where, f'f{rng.randrange(40)}')
        with contextlib.suppress(OSError):
            if what < 4:
                with open(name, 'wb') as f:
                    f.write((MAGIC + bytes([rng.randrange(256)]) * 1020) * rng.randrange(1, 40))
            elif what < 6:
                os.unlink(name)
            elif what == 6:
                os.makedirs(name + 'd', exist_ok=True)
                for k in range(rng.randrange(30)):
                    os.symlink('x' * rng.randrange(1, 200), os.path.join(name + 'd', f'{k}-{"n" * 80}'))
            elif what == 7:
                shutil.rmtree(name + 'd')
            elif what == 8:
                os.truncate(name, rng.randrange(20000))
            else:
                os.rename(name, os.path.join(where, f'f{rng.randrange(40)}'))
        if rng.randrange(12) == 0:
            os.sync() if rng.randrange(4) == 0 else must(['sync', '-f', where])


def cut_power(bench, image, options, rng, steps):
    with Mounted(image, options or 'rw') as where:
        work(where, rng, steps)
        must(['sync', '-f', where])
        work(where, rng, 30)
        if rng.randrange(2):
            # A commit, and not what follows it.
            with open(os.path.join(where, 'synced'), 'wb') as f:
                f.write(MAGIC * 5000)
                f.flush()
                os.fsync(f.fileno())
        return bench.copy(image, 'cut')


def linux(bench, args):
    if not is_root():
        sys.exit(skip('needs root and loop devices'))
    rng = random.Random(args.seed)
    for n in range(args.cases or len(LINUX)):
        options, mount_options = LINUX[n % len(LINUX)]
        image = bench.make(options + ' -J size=4', '48M')
        cut = cut_power(bench, image, mount_options, rng, 100 + rng.randrange(300))
        theirs, mine = bench.copy(cut, 'theirs'), bench.copy(cut, 'mine')
        must(['e2fsck', '-y', '-E', 'journal_only', theirs], (0, 1))
        r = bench.recover(mine)
        if r.returncode:
            sys.exit(f'{options} {mount_options}: {r.stderr}')
        bs = bench.block_size(mine)
        compare(f'{options} {mount_options}', theirs, mine, bs, set(bench.journal(mine)[0]) | superblocks(theirs, bs))
        must(['e2fsck', '-fy', mine], (0, 1))
        print(f'{options or "defaults"}; {mount_options or "defaults"}: {r.stdout.strip()}')


# ---- fast commits

def fast(bench, args):
    if not is_root():
        sys.exit(skip('needs root and loop devices'))
    image = bench.make('-b 4096 -O fast_commit -J size=16', '128M')
    with Mounted(image) as where:
        for i in range(5):
            with open(os.path.join(where, f'f{i}'), 'wb') as f:
                f.write(b'x' * 100)
                f.flush()
                os.fsync(f.fileno())
        must(['sync', '-f', where])
        full = bench.copy(image, 'full')
        for i in range(3):
            with open(os.path.join(where, f'g{i}'), 'wb') as f:
                f.write(b'y' * 100)
                f.flush()
                os.fsync(f.fileno())
        behind = bench.copy(image, 'behind')
    before = blocks_of(behind, 4096)
    r = bench.recover(behind)
    if r.returncode == 0:
        sys.exit('fast commits were passed over: ' + r.stdout)
    if 'fast commits' not in r.stderr:
        sys.exit('fast commits are not named: ' + r.stderr)
    if blocks_of(behind, 4096) != before:
        sys.exit('an image that was refused has changed')
    r = bench.recover(full)
    if r.returncode:
        sys.exit('a log with nothing behind it is refused: ' + r.stderr)
    must(['e2fsck', '-fy', full], (0, 1))
    print('fast commits: ' + r.stdout.strip())


# ---- hostile

class Log:
    """A journal as bytes; superblock fields and seals can be made right again."""

    def __init__(self, bench, image):
        self.image, self.bs = image, bench.block_size(image)
        self.blocks = bench.journal(image)[0]

    def read(self, i):
        with open(self.image, 'rb') as f:
            f.seek(self.blocks[i] * self.bs)
            return bytearray(f.read(self.bs))

    def write(self, i, data):
        with open(self.image, 'r+b') as f:
            f.seek(self.blocks[i] * self.bs)
            f.write(data)

    def seal(self, i, data, seed):
        if i == 0:
            data[0xFC:0x100] = bytes(4)
            data[0xFC:0x100] = struct.pack('>I', crc32c(0xFFFFFFFF, data[:1024]))
        elif data[:4] == MAGIC:
            at = 16 if data[7] == 2 else self.bs - 4
            data[at:at + 4] = bytes(4)
            data[at:at + 4] = struct.pack('>I', crc32c(seed, data))


def damage(log, rng, used):
    i = 0 if rng.randrange(4) == 0 else rng.choice(used)
    data = log.read(i)
    seed = crc32c(0xFFFFFFFF, bytes(log.read(0)[0x30:0x40]))
    limit = 0x60 if i == 0 else (64 if rng.randrange(2) else log.bs)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(limit)
        data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if rng.randrange(2):
        log.seal(i, data, seed)
    log.write(i, data)


def hostile(bench, args):
    rng = random.Random(args.seed)
    image = bench.make('-b 1024 -J size=4', '32M')
    _, where = bench.journal(image)
    sums = rng.choice(('v1', 'v2', 'v3', 'none'))
    first, count = free_blocks(image, 100)
    must([bench.tool, image, '1024', where, 'write', sums, '64', 'sync', str(args.seed), str(first), str(count),
          bench.path('expected')])
    whole = Log(bench, image)
    used = [i for i in range(1, 2400) if whole.read(i)[:4] == MAGIC]
    answers = {}
    work_image = bench.copy(image, 'hostile')
    log = Log(bench, work_image)
    saved = {i: log.read(i) for i in [0] + used}
    region_before = region(image, 1024, first, count)
    for n in range(args.cases or 300):
        for _ in range(rng.randrange(1, 4)):
            damage(log, rng, used)
        r = run([bench.tool, work_image, '1024', where, 'recover'], timeout=60)
        if r.returncode not in (0, 1):
            sys.exit(f'case {n} (seed {args.seed}): status {r.returncode}\n{r.stderr}')
        if r.returncode == 1 and region(work_image, 1024, first, count) != region_before:
            sys.exit(f'case {n} (seed {args.seed}): refused, and changed')
        answers[r.returncode] = answers.get(r.returncode, 0) + 1
        for i, data in saved.items():
            log.write(i, data)
        with open(work_image, 'r+b') as f:
            f.seek(first * 1024)
            f.write(region_before)
    print(f'{sums}: {answers.get(0, 0)} replayed, {answers.get(1, 0)} refused')


def skip(why):
    print('skipped: ' + why)
    return 77


def main():
    p = argparse.ArgumentParser()
    p.add_argument('tool')
    p.add_argument('mode', choices=('ours', 'linux', 'fast', 'hostile'))
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--cases', type=int, default=0)
    args = p.parse_args()
    for tool in TOOLS:
        if not shutil.which(tool):
            sys.exit(skip('needs ' + tool))
    own_namespace()
    bench = Bench(args.tool)
    try:
        globals()[args.mode](bench, args)
    finally:
        shutil.rmtree(bench.dir, ignore_errors=True)


if __name__ == '__main__':
    main()
