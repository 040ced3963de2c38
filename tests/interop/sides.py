# SPDX-License-Identifier: BSD-2-Clause
"""The two sides: the same script on the same image by this machine's kernel and by extant.

Kernel   mounts through a loop device, in a mount namespace of its own: what a test leaves mounted goes with it
Extant   `extant run`
Image kinds, e2fsck, what is in an image: as Linux shows it, mounted read-only
"""
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(HERE, '..', 'oracle')
sys.path.insert(0, ORACLE)
import loopmount
from loopmount import Failed as Died    # a side did not end as it should
from loopmount import Mounted, attach, detach

TOOLS = ('mke2fs', 'e2fsck', 'debugfs', 'losetup', 'mount', 'umount', 'cc')
FEATURES = ('has_journal', 'ext_attr', 'resize_inode', 'dir_index', 'filetype', 'extent', '64bit', 'flex_bg', 'sparse_super',
            'large_file', 'huge_file', 'dir_nlink', 'extra_isize', 'metadata_csum')
UUID = '6a1b7a3c-2f54-4f0e-9d55-0e4d5c3b2a10'
MOUNT = 'commit=600,noinit_itable,dioread_lock'
SKIP = 77


def run(args, timeout=120, **kw):
    return subprocess.run(args, capture_output=True, text=True, errors='replace', timeout=timeout, **kw)


def missing():
    """Why this machine cannot be asked, or nothing."""
    for tool in TOOLS:
        if not shutil.which(tool):
            return f'no {tool}'
    if os.geteuid() != 0:
        return 'not root: mounting needs it'
    if not os.path.exists('/dev/loop-control'):
        return 'no loop devices'
    if '\text4' not in open('/proc/filesystems').read():
        return 'the kernel has no ext4'
    return None


def enter_namespace():
    """Goes on in a mount namespace of its own, or exits with 77 and the reason."""
    why = missing()
    if why:
        print('skipped:', why)
        sys.exit(SKIP)
    loopmount.own_namespace()


class Kind:
    """A kind of image: how it is made and mounted. write False: extant only reads such images."""

    def __init__(self, name, features='', mkfs='', size='64M', mount='', profile=None, base=FEATURES, write=True):
        self.name, self.size, self.mount, self.profile, self.write = name, size, mount, profile, write
        if not write:
            self.mount, self.profile = 'ro', 'reading'
        chosen = list(base)
        for f in features.split():
            if f.startswith('^'):
                chosen.remove(f[1:])
            else:
                chosen.append(f)
        self.mkfs = ['-O', 'none,' + ','.join(chosen)] + mkfs.split()
        self.journal = 'has_journal' in chosen
        words = (' ' + mkfs + ' ').split()
        self.block = int(words[words.index('-b') + 1]) if '-b' in words else 4096

    def bytes(self):
        return int(self.size[:-1]) << {'K': 10, 'M': 20, 'G': 30}[self.size[-1]]

    def make(self, image, seed):
        """An image; the hash seed decides the order of names."""
        defaults = [] if '-b' in self.mkfs else ['-b', '4096']
        defaults += [] if '-I' in self.mkfs else ['-I', '256']
        h = hashlib.md5(f'hash {seed}'.encode()).hexdigest()
        hash_seed = f'{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}'
        if os.path.exists(image):
            os.unlink(image)
        made = run(['mke2fs', '-q', '-F', '-t', 'ext4', '-U', UUID, *defaults, *self.mkfs,
                    '-E', f'hash_seed={hash_seed},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0', image, self.size],
                   env=dict(os.environ, E2FSPROGS_FAKE_TIME='1700000000', MKE2FS_CONFIG='/dev/null', LC_ALL='C'))
        if made.returncode:
            raise Died(f'mke2fs {self.name}: {made.stderr}')

    def options(self):
        common = [o for o in MOUNT.split(',') if self.journal or not o.startswith('commit=')]
        return ','.join(filter(None, common + [self.mount]))


KINDS = [
    Kind('default'),
    Kind('orphan-file', 'orphan_file metadata_csum_seed'),
    Kind('1k', mkfs='-b 1024', size='24M'),
    Kind('data-journal', mount='data=journal'),
    Kind('2k', mkfs='-b 2048', size='40M'),
    Kind('small-4k', size='10M', mkfs='-m 0 -J size=4', profile='full'),
    Kind('nodelalloc', mount='nodelalloc'),
    Kind('no-flex', '^flex_bg', '-b 1024 -g 2048', size='32M'),
    Kind('data-writeback', mount='data=writeback'),
    Kind('meta-bg', '^resize_inode meta_bg', '-b 1024 -g 1024', size='24M'),
    Kind('no-csum', '^metadata_csum'),
    Kind('inode-512', mkfs='-I 512'),
    Kind('small-1k', mkfs='-b 1024', size='10M', profile='full'),
    Kind('uninit-bg', '^metadata_csum uninit_bg', '-b 1024', size='40M'),
    Kind('32bit', '^64bit', size='40M'),
    Kind('few-inodes', mkfs='-N 64', size='20M', profile='many'),
    Kind('dioread-nolock', mount='dioread_nolock'),
    Kind('small-journal', mkfs='-J size=4 -b 4096', size='40M', profile='sync'),
    Kind('flex-4', mkfs='-b 1024 -g 1024 -G 4', size='40M'),
    Kind('sync', mount='sync,dirsync'),
    Kind('async-commit', mount='journal_async_commit,data=writeback'),
    Kind('sparse-super2', '^resize_inode ^sparse_super sparse_super2', '-b 1024 -g 2048', size='24M'),
    Kind('no-journal', '^has_journal'),
    Kind('inode-128', '^extra_isize', '-I 128'),
    Kind('no-filetype', '^filetype ^dir_index'),
    Kind('orphan-1k', 'orphan_file', '-b 1024 -I 1024', size='32M'),
    Kind('block-maps', '^extent ^64bit'),
    Kind('block-maps-1k', '^extent ^64bit', '-b 1024', size='40M'),
    Kind('bigalloc', 'bigalloc', '-C 16384', write=False),
    Kind('stripe', mkfs='-b 1024', size='48M', mount='stripe=32'),
    Kind('64k-groups', mkfs='-b 1024 -g 8192 -G 1', size='48M'),
    Kind('journal-csum', mount='journal_checksum'),
]


# ---- the kernel

class Kernel:
    """Runs scripts with wlrun on a loop mount."""
    name = 'linux'

    def __init__(self, folder):
        self.folder = folder
        self.wlrun = os.path.join(folder, 'wlrun')
        built = run(['cc', '-O1', '-o', self.wlrun, os.path.join(ORACLE, 'wlrun.c')])
        if built.returncode:
            raise Died(f'wlrun: {built.stderr}')
        self.top = os.path.join(folder, 'top')
        os.makedirs(os.path.join(self.top, 'mnt'), exist_ok=True)

    def run(self, image, script, results, options, gap_us=0, snapshots=None):
        dev = attach(image)
        try:
            args = [self.wlrun, '--dev', dev, '--mnt', '/mnt', '--chroot', self.top, '--inside', 'yes', '--opts', options,
                    '--backing', image, '--outdir', snapshots or self.folder, '--gap-us', str(gap_us), '--results', results, script]
            # /dev is needed below the chroot
            os.makedirs(self.top + '/dev', exist_ok=True)
            node = self.top + dev
            if not os.path.exists(node):
                os.mknod(node, 0o600 | stat.S_IFBLK, os.stat(dev).st_rdev)
            p = run(args)
            if p.returncode:
                raise Died(f'wlrun: exit {p.returncode}: {p.stderr.strip()[-300:]}')
        finally:
            run(['umount', '-l', os.path.join(self.top, 'mnt')])
            detach(dev)


# ---- extant

class Extant:
    name = 'extant'

    def __init__(self, command):
        self.command = command

    def run(self, image, script, results, options, snapshots=None, timeout=120):
        args = [self.command, 'run', '-o', ','.join(filter(None, ('dialect=6.18', options))), '--results', results]
        args += ['--snapshots', snapshots] if snapshots else []
        try:
            p = run(args + [image, script], timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Died('extant: hangs')
        if p.returncode:
            raise Died(f'extant run: exit {p.returncode}: {p.stderr.strip()[-600:]}')


# ---- what an image holds

def load(path):
    """The operations of a results file."""
    with open(path) as f:
        return [r for r in map(json.loads, f) if 'op' in r]


def fsck(image):
    """What e2fsck -fn finds; empty when clean."""
    p = run(['e2fsck', '-fn', image])
    if p.returncode == 0:
        return ''
    lines = [l for l in p.stdout.splitlines() if l and not l.startswith(('Pass ', 'e2fsck '))]
    return f'e2fsck: exit {p.returncode}: ' + '; '.join(lines[:8])


def tree(image, options='ro,noload'):
    """path -> what lstat and reading say, as Linux sees it."""
    with Mounted(image, options) as top:
        return walk(top)


def walk(top):
    out = {}
    todo = [(b'', os.fsencode(top))]
    while todo:
        name, path = todo.pop()
        s = os.lstat(path)
        e = {'mode': oct(s.st_mode), 'nlink': s.st_nlink, 'uid': s.st_uid, 'gid': s.st_gid, 'ino': s.st_ino}
        if stat.S_ISDIR(s.st_mode):
            names = os.listdir(path)
            todo += [(name + b'/' + n, path + b'/' + n) for n in names]
        elif stat.S_ISREG(s.st_mode):
            e.update(size=s.st_size, blocks=s.st_blocks, sha256=digest(path, s))
        elif stat.S_ISLNK(s.st_mode):
            e['target'] = os.readlink(path).decode('latin-1')
        else:
            e['rdev'] = s.st_rdev
        out[(name or b'/').decode('latin-1')] = e
    return out


def digest(path, s):
    """Of the data and where it lies, in pieces of 64 KiB; a hole and written zeroes are the same."""
    h = hashlib.sha256()
    with open(path, 'rb', buffering=0) as f:
        at = 0
        while at < s.st_size:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA) >> 16 << 16
            except OSError:
                break
            os.lseek(f.fileno(), at, os.SEEK_SET)
            data = f.read(1 << 16)
            if data.count(0) != len(data):
                h.update(at.to_bytes(8, 'little') + data)
            at += 1 << 16
    return h.hexdigest()


def tree_differences(a, b):
    """(path, what, first, second) of each difference."""
    out = []
    for path in sorted(set(a) | set(b)):
        x, y = a.get(path), b.get(path)
        if x is None or y is None:
            out.append((path, 'only on one side', x is not None, y is not None))
            continue
        out += [(path, k, x.get(k), y.get(k)) for k in sorted(set(x) | set(y)) if x.get(k) != y.get(k)]
    return out
