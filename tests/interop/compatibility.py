#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/compatibility.md against what happens: an image of each row, or of pairs of features.

    compatibility.py EXTANT rows [ROW...]
    compatibility.py EXTANT pairs [--count N] [--seed S]      two features turned about at once; all without --count

A row that `writes`: a script on it that ends in a cut of the power; extant recovers a copy, e2fsck finds nothing; the
kernel recovers another copy and sees the same tree, writes to it, and extant reads and removes what it wrote. Where the
kernel does not mount such images (blocks above 4 KiB), or cannot be asked, debugfs reads and writes instead.
A row that `reads` is opened read-only and says why, one that is `refused` is not opened, and says why; both stay as
they are. Exit 1 when anything is otherwise, 77 without e2fsprogs.
"""
import argparse, fcntl, itertools, os, random, re, shutil, struct, sys, tempfile

import sides
from random_scripts import commit
from sides import Died, FEATURES, run

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, '..', '..', 'docs', 'compatibility.md')
OLD = {'ext2': ('ext_attr', 'resize_inode', 'dir_index', 'filetype', 'sparse_super', 'large_file'),
       'ext3': ('has_journal', 'ext_attr', 'resize_inode', 'dir_index', 'filetype', 'sparse_super', 'large_file')}
NOT_BY_MKE2FS = {'shared_blocks': 'feature shared_blocks', 'verity': 'feature verity'}
DATA = bytes((o * 7 + (o >> 8) * 13 + 3) & 255 for o in range(300000))


def fnv(data):
    h = 0xcbf29ce484222325
    for b in data:
        h = (h ^ b) * 0x100000001b3 & (1 << 64) - 1
    return '%016x' % h


GETFSMAP = 3 << 30 | 192 << 16 | ord('X') << 8 | 59
RECORDS = 4096


def kernel_fsmap(top):
    """What FS_IOC_GETFSMAP says of the mount, in the form of extant's results."""
    low, high = (0,) * 6, (0xffffffff, 0xffffffff, (1 << 64) - 1, (1 << 64) - 1, 0, (1 << 64) - 1)
    key = lambda k: struct.pack('=IIQQQQ24x', *k)
    buf = bytearray(struct.pack('=IIII48x', 0, 0, RECORDS, 0) + key(low) + key(high) + bytes(64 * RECORDS))
    fd = os.open(top, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, GETFSMAP, buf)
    finally:
        os.close(fd)
    out = []
    for i in range(struct.unpack_from('=I', buf, 12)[0]):
        _, flags, physical, owner, _, length = struct.unpack_from('=IIQQQQ', buf, 192 + 64 * i)
        out.append([physical, length, '%x' % owner, '%x' % flags])
    return out


def same_map(ours, theirs):
    """
    All that has a name, and all that is free, is the same. What somebody has, Linux 6.18 tells in part: not between two
    free runs of a group, and only the last groups of many that are full.
    """
    named = [[r for r in m if r[2] != '2'] for m in (ours, theirs)]
    if named[0] != named[1]:
        raise Died('fsmap: %s' % [x for x in zip(*named) if x[0] != x[1]][:2])
    ends = {r[0] + r[1]: r[0] for r in ours if r[2] == '2'}
    for r in theirs:
        if r[2] == '2' and ends.get(r[0] + r[1], r[0] + 1) > r[0]:
            raise Died('fsmap: Linux has %s' % r)


def small_files():
    return ['n%d-%s' % (i, 'x' * 90) for i in range(40)]


def work(journal):
    lines = ['mkdir /d 0755', 'open fd=1 /d/f O_CREAT|O_RDWR 0644', 'pwrite fd=1 off=0 len=300000 fill=pat:3',
             'pwrite fd=1 off=2M len=5000 fill=b', 'fsync fd=1']
    for i, n in enumerate(small_files()):
        lines += ['open fd=2 /d/%s O_CREAT|O_RDWR 0644' % n, 'write fd=2 len=%d fill=pat:%d' % (i * 371 % 9000, i), 'close fd=2']
    lines += ['syncfs', 'ftruncate fd=1 len=2M'] + ['unlink /d/' + n for n in small_files()[::2]]
    lines += ['mkdir /d/e 0700', 'rmdir /d/e', 'open fd=3 /gone O_CREAT|O_RDWR', 'write fd=3 len=50000', 'fsync fd=1']
    if journal:
        return lines + ['unlink /gone', 'shutdown logflush']
    return lines + ['unlink /gone', 'close fd=3']


class Row:
    def __init__(self, text, verdict):
        self.text, self.verdict = text, verdict
        words = text.split()
        self.external = text == 'external journal'
        base = list(OLD.get(words[0], FEATURES))
        if self.external or words[0] in OLD:
            words = words[2:] if self.external else words[1:]
        self.options, self.later = [], []
        while words:
            w = words.pop(0)
            if w.startswith('-'):
                self.options += [w, words.pop(0)]
            elif w.startswith('^'):
                base = [f for f in base if f != w[1:]]
            elif w in NOT_BY_MKE2FS:
                self.later.append(NOT_BY_MKE2FS[w])
            else:
                base.append(w)
        self.features = base
        self.block = int(self.options[self.options.index('-b') + 1]) if '-b' in self.options else 4096
        self.journal = 'has_journal' in base
        self.size = '24M' if self.block < 4096 else '32M' if self.block < 8192 else '160M'

    def make(self, image):
        if os.path.exists(image):
            os.unlink(image)
        words = ['mke2fs', '-q', '-F', '-t', 'ext4', '-O', 'none,' + ','.join(self.features)]
        words += [] if '-b' in self.options else ['-b', '4096']
        words += [] if '-I' in self.options else ['-I', '256' if 'extent' in self.features or 'extra_isize' in self.features else '128']
        p = run(words + self.options + [image, self.size], env=dict(os.environ, MKE2FS_CONFIG='/dev/null', LC_ALL='C'))
        if p.returncode:
            raise Died('mke2fs: ' + p.stderr.strip())
        later = self.later + (['ssv journal_inum 0', 'ssv journal_dev 0x801', 'ssv journal_uuid ' + sides.UUID] if self.external else [])
        for command in later:
            run(['debugfs', '-w', '-R', command, image])


class Case:
    def __init__(self, extant, row, folder, kernel):
        self.row, self.folder = row, folder
        self.extant = extant
        self.kernel = kernel and row.block <= 4096
        self.image = self.path('image')

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, image, lines, wrong=()):
        """Runs them; each must succeed, but for those in `wrong`. The results."""
        with open(self.path('script'), 'w') as f:
            f.write('\n'.join(lines) + '\n')
        p = run([self.extant, 'run', '-v', '-o', 'dialect=6.18', '--results', self.path('results'), image, self.path('script')])
        if p.returncode:
            raise Died('extant: exit %d: %s' % (p.returncode, p.stderr.strip()[-300:]))
        self.said = p.stderr
        results = sides.load(self.path('results'))
        for r in results:
            if r['ret'] < 0 and r['errno'] not in wrong:
                raise Died('%s: %s' % (r['cmd'], r['errno']))
        return results

    def clean(self, image, who):
        found = sides.fsck(image)
        if found:
            raise Died('after %s: %s' % (who, found))

    def expect(self, image):
        """What extant reads is what was written."""
        r = self.script(image, ['open fd=1 /d/f O_RDONLY', 'pread fd=1 off=0 len=300000', 'readdir /d', 'stat /d/f'])
        if r[2]['fnv'] != fnv(DATA) or r[4]['size'] != 2 << 20:
            raise Died('/d/f: other bytes than were written')
        names = sorted(n for n in r[3]['entries'] if n not in '..')
        if names != sorted(['f'] + small_files()[1::2]):
            raise Died('/d: other names than were made: %s' % names[:4])

    def with_kernel(self, crashed):
        theirs = self.path('theirs')
        shutil.copyfile(crashed, theirs)
        if not self.row.journal:
            run(['e2fsck', '-fy', theirs])
        with sides.Mounted(theirs, 'noinit_itable'):
            pass
        self.clean(theirs, 'the kernel')
        ours = self.path('ours')
        differ = sides.tree_differences(sides.tree(ours, 'ro'), sides.tree(theirs, 'ro'))
        if differ:
            raise Died('the kernel recovers another tree: %s' % (differ[:3],))
        with sides.Mounted(ours, 'ro') as top:
            theirs_map = kernel_fsmap(top)
        ours_map = self.script(ours, ['fsmap'])[1]['fsmap']
        if len(theirs_map) < RECORDS:
            same_map(ours_map, theirs_map)
        with sides.Mounted(theirs, 'noinit_itable') as top:
            os.mkdir(top + '/k')
            with open(top + '/k/theirs', 'wb') as f:
                f.write(DATA)
            for i in range(30):
                open(top + '/k/%d-%s' % (i, 'y' * 120), 'w').close()
            os.unlink(top + '/d/' + small_files()[1])
        r = self.script(theirs, ['open fd=1 /k/theirs O_RDWR', 'pread fd=1 off=0 len=300000', 'readdir /k',
                                 'pwrite fd=1 off=300000 len=70000', 'fsync fd=1', 'close fd=1', 'unlink /k/theirs'] +
                        ['unlink /k/%d-%s' % (i, 'y' * 120) for i in range(30)] + ['rmdir /k'])
        if r[2]['fnv'] != fnv(DATA) or len(r[3]['entries']) != 33:
            raise Died('extant reads something else than the kernel wrote')
        self.clean(theirs, 'extant behind the kernel')

    def with_debugfs(self, image):
        out, host = self.path('out'), self.path('host')
        run(['debugfs', '-R', 'dump /d/f %s' % out, image])
        with open(out, 'rb') as f:
            if f.read()[:len(DATA)] != DATA:
                raise Died('debugfs reads something else than extant wrote')
        with open(host, 'wb') as f:
            f.write(DATA)
        run(['debugfs', '-w', '-R', 'write %s /theirs' % host, image])
        r = self.script(image, ['open fd=1 /theirs O_RDWR', 'pread fd=1 off=0 len=300000', 'close fd=1', 'unlink /theirs'])
        if r[2]['fnv'] != fnv(DATA):
            raise Died('extant reads something else than debugfs wrote')
        self.clean(image, 'extant behind debugfs')

    def writes(self):
        crashed, ours = self.path('crashed'), self.path('ours')
        self.script(self.image, work(self.row.journal), wrong=())
        shutil.copyfile(self.image, crashed)
        shutil.copyfile(self.image, ours)
        self.expect(ours)
        self.clean(ours, 'extant')
        if self.kernel:
            self.with_kernel(crashed)
        else:
            self.with_debugfs(ours)

    def untouched(self, before):
        with open(self.image, 'rb') as f:
            if f.read() != before:
                raise Died('the image was changed')

    def blamed(self):
        word = 'journal' if self.row.external else [w for w in self.row.text.split() if not w.startswith(('-', '^'))]
        return word if isinstance(word, str) else word[0]

    def reads(self):
        host = self.path('host')
        with open(host, 'wb') as f:
            f.write(DATA)
        run(['debugfs', '-w', '-R', 'write %s /f' % host, self.image])
        with open(self.image, 'rb') as f:
            before = f.read()
        r = self.script(self.image, ['open fd=1 /f O_RDONLY', 'pread fd=1 off=0 len=300000', 'mkdir /d 0755'], wrong=('EROFS',))
        if r[2]['fnv'] != fnv(DATA) or r[3].get('errno') != 'EROFS':
            raise Died('it is not read, or not read-only: %s' % r[3])
        if 'read-only' not in self.said or self.blamed() not in self.said:
            raise Died('it does not say why: ' + self.said)
        self.untouched(before)

    def refused(self):
        with open(self.image, 'rb') as f:
            before = f.read()
        p = run([self.extant, 'ls', self.image, '/'])
        if p.returncode != 4 or self.blamed() not in p.stderr:
            raise Died('not refused by name: exit %d: %s' % (p.returncode, p.stderr.strip()))
        self.untouched(before)


def rows():
    with open(DOCUMENT) as f:
        for line in f:
            m = re.match(r'\| `([^`]+)` \| (writes|reads|refused) \|', line)
            if m:
                yield Row(m.group(1), m.group(2))


# What can be turned about alone; some ask for another.
TURNS = ('^has_journal', '^resize_inode', '^dir_index', '^filetype', '^64bit', '^flex_bg', 'sparse_super2 ^sparse_super ^resize_inode',
         '^large_file', '^huge_file', '^dir_nlink', '^extra_isize', '^metadata_csum', '^metadata_csum uninit_bg', 'metadata_csum_seed',
         'meta_bg ^resize_inode', 'large_dir', 'orphan_file', 'stable_inodes', '-b 1024', '-b 16384', '-I 128 ^extra_isize',
         '-I 1024 -N 2000')


def pairs():
    for a, b in itertools.combinations(TURNS, 2):
        words = a.split() + b.split()
        if any(w in words and '^' + w in words for w in words) or words.count('-b') > 1 or words.count('-I') > 1:
            continue
        if {'orphan_file', '^has_journal'} <= set(words) or {'metadata_csum_seed', '^metadata_csum'} <= set(words):
            continue        # mke2fs refuses these
        yield Row(' '.join(dict.fromkeys(words)) if '-b' not in words and '-I' not in words else a + ' ' + b, 'writes')


def main():
    a = argparse.ArgumentParser(usage=__doc__)
    a.add_argument('extant')
    a.add_argument('mode', choices=('rows', 'pairs'))
    a.add_argument('only', nargs='*')
    a.add_argument('--count', type=int)
    a.add_argument('--seed', default=None)
    o = a.parse_args()
    os.environ['PATH'] += ':/sbin:/usr/sbin'
    if not shutil.which('mke2fs') or not shutil.which('debugfs'):
        print('skipped: needs e2fsprogs')
        return sides.SKIP
    why = sides.missing()
    if not why:
        sides.enter_namespace()
    chosen = list(rows() if o.mode == 'rows' else pairs())
    if o.only:
        chosen = [r for r in chosen if r.text in o.only]
    if o.count and o.count < len(chosen):
        chosen = random.Random('pairs %s' % (o.seed or commit())).sample(chosen, o.count)
    failed = 0
    with tempfile.TemporaryDirectory(prefix='extant-kinds-') as folder:
        for row in chosen:
            case = Case(os.path.abspath(o.extant), row, folder, not why)
            try:
                row.make(case.image)
                getattr(case, row.verdict)()
            except (Died, OSError) as e:
                failed += 1
                print('%s (%s): %s' % (row.text, row.verdict, e))
    print('%d images, %d failed%s' % (len(chosen), failed, '; the kernel was not asked: ' + why if why else ''))
    return 1 if failed else 0


sys.exit(main())
