#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draws workload scripts from a seed.

    genscript.py SEED [--profile NAME] [--ops N] [--block 4096]     prints a script

A script is what a careless program would do: it mostly uses names and descriptors that are there, in
sizes around the limits at which ext4 changes its mind (a block, 16 blocks, 1, 2, 4 and 8 MiB, the end
of the file), and now and then does what must fail: names that are missing, too long or of the wrong
kind, closed and wrongly opened descriptors, offsets that no file can have. The generator remembers what
it believes is there; it need not be right, for the two sides are compared with each other and not
with it.

Profiles say which operations are common: `mixed`, `data`, `names`, `many` (small files), `deep` (trees),
`full` (more than the disk holds), `sync` (every way to be stable, remounts), `attributes`, `wrong`, `ranges` (space by range).

What the language cannot say on Linux is left out: a slot is closed before it is opened again, nothing is
done between umount and mount.
"""
import argparse
import posixpath
import random

import gen_attributes

LONG = 255                      # the longest name
PATH_MAX = 4096                 # with the zero at its end
PROFILES = ('mixed', 'data', 'names', 'many', 'deep', 'full', 'sync', 'attributes', 'wrong', 'ranges')

# Weights of operations by profile; what is not named has the weight of 'mixed', or 1.
WEIGHTS = {
    'mixed': dict(open=14, close=6, write=14, pwrite=12, read=4, pread=5, lseek=6, ftruncate=5, truncate=4, fsync=4,
                  fdatasync=2, sync_file_range=2, syncfs=2, mkdir=6, rmdir=3, unlink=6, stat=4, lstat=2, fstat=6,
                  access=2, readdir=3, statfs=2, fiemap=4, chmod=3, remount=1, cycle=1, sleep=1, fadvise=1, readlink=1,
                  burst=1, sync=0, link=3, symlink=3, mknod=2, rename=7, nameless=1, flink=1,
                  freeze=1, fstrim=1, checkpoint=1),
    'data': dict(open=10, write=24, pwrite=30, ftruncate=14, truncate=8, fiemap=8, pread=10, fstat=8, mkdir=1, rmdir=1,
                 lseek=10),
    'names': dict(open=22, mkdir=20, rmdir=10, unlink=16, stat=8, access=6, readdir=6, write=4, pwrite=2, chmod=8,
                  link=12, symlink=10, mknod=8, rename=34, nameless=4, flink=4, readlink=4),
    'many': dict(burst=10, open=20, write=16, unlink=14, readdir=4, mkdir=4),
    'deep': dict(mkdir=40, open=20, rmdir=8, unlink=8, stat=8, readdir=6),
    'full': dict(write=26, pwrite=22, open=16, unlink=8, ftruncate=6, statfs=8, fsync=5, syncfs=3, burst=3),
    'sync': dict(fsync=16, fdatasync=12, sync_file_range=8, syncfs=8, remount=4, cycle=4, sleep=3, write=20, pwrite=14),
    'attributes': {name: 5 * weight for name, weight in gen_attributes.WEIGHTS.items()},
    'wrong': dict(open=20),
    # On images that are only read here; what would write is refused.
    'reading': dict(open=30, read=30, pread=40, lseek=30, fstat=12, stat=12, lstat=8, readdir=14, readlink=6, fiemap=14,
                    access=8, statfs=3, fadvise=3, write=1, pwrite=1, mkdir=2, rmdir=2, unlink=2, ftruncate=1, truncate=2,
                    chmod=2, fsync=1, fdatasync=1, remount=0, cycle=0, burst=0, sync_file_range=0, link=1, symlink=1, mknod=1,
                    rename=2, nameless=1, flink=1, freeze=0, fstrim=0, checkpoint=0),
}
# Space by range.
WEIGHTS['mixed'].update(fallocate=8, copy_file_range=4)
WEIGHTS['reading'].update(fallocate=1, copy_file_range=0)
WEIGHTS['ranges'] = dict(open=14, close=2, fallocate=50, pwrite=24, write=6, ftruncate=8, fsync=5, fiemap=10, pread=10, lseek=14,
                         fstat=8, mkdir=1, rmdir=1, unlink=2, burst=0, chmod=0, readdir=1, rename=1, link=0, flink=0, symlink=0,
                         nameless=0, mknod=0)
# Pages.
WEIGHTS['mixed'].update(mmapwrite=5, mmapread=3)
WEIGHTS['reading'].update(mmapwrite=1, mmapread=8)
WEIGHTS['data'].update(mmapwrite=16, mmapread=6)
WEIGHTS['full'].update(mmapwrite=12)
WEIGHTS['ranges'].update(mmapwrite=14, mmapread=6)
WEIGHTS['mixed'].update(gen_attributes.WEIGHTS)
WRONG = {'wrong': 0.5}          # share of operations made wrong on purpose
MODES = ('0644', '0600', '0755', '0', '0777', '0444', '04755', '02750', '01777', '07777', '0111')
MOUNT_OPTIONS = ('noatime', 'relatime', 'strictatime', 'nodiratime', 'sync', 'dirsync', 'commit=1', 'nobarrier',
                 'barrier', 'errors=continue', 'errors=remount-ro', 'nodelalloc', 'data=writeback', 'data=ordered',
                 'dioread_lock', 'noauto_da_alloc', 'stripe=16', 'noblock_validity')
REMOUNT_OPTIONS = ('noatime', 'relatime', 'strictatime', 'commit=3', 'barrier=0', 'barrier=1', 'errors=continue', 'sync',
                   'nodelalloc', 'delalloc', 'noauto_da_alloc')


class Script(gen_attributes.AttributeOps):
    """The script so far, and what it believes to be there."""

    def __init__(self, seed, profile=None, ops=None, block=4096, disk=64 << 20, prepared=(), mount_options=MOUNT_OPTIONS,
                 write_limit=48 << 20, shutdown=False, maps=False):
        self.rnd = random.Random(f'workload {seed}')
        self.profile = profile or self.rnd.choice(PROFILES)
        if self.profile == 'reading':
            mount_options = ()
        self.ops = ops or self.rnd.randint(100, 260)
        self.block, self.disk, self.shutdown = block, disk, shutdown
        self.maps = maps                # Linux overlooks delayed blocks in the holes of block maps
        self.mount_options = mount_options
        self.budget = write_limit if self.profile != 'full' else 2 * disk      # bytes still to be written
        self.dirs, self.files, self.links, self.special = ['/'], {}, [], []
        for kind, path in prepared:
            self.prepared(kind, path)
        self.fds = {}                   # slot -> (path, flags, is directory)
        self.closed = set()             # slots that were in use once
        self.promised = {p for _, p in prepared if p.endswith('promised')}    # files with unwritten blocks
        self.seen = set(self.promised)  # files that were read
        self.lines = []
        self.weights = dict(WEIGHTS['mixed'])
        self.weights.update(WEIGHTS[self.profile])

    def prepared(self, kind, path):
        """d, f, l, or something else that is never opened."""
        if kind == 'd':
            self.dirs.append(path)
        elif kind == 'f':
            self.files[path] = 20000
        elif kind == 'l':
            self.links.append(path)
        else:
            self.special.append(path)

    # ---- small choices

    def chance(self, share):
        return self.rnd.random() < share

    def pick(self, things):
        return self.rnd.choice(list(things))

    def emit(self, *words):
        self.lines.append(' '.join(str(w) for w in words))

    def size(self):
        """A length around a limit."""
        r, b = self.rnd, self.block
        base = r.choice((0, 1, b, b, b, 2 * b, 15 * b, 16 * b, 16 * b, 17 * b, 12 * b, 64 << 10, 100, 1000, 5000, 300000, 1 << 20))
        if self.profile in ('data', 'full', 'mixed') and self.chance(0.25):
            base = r.choice((1 << 20, 2 << 20, 2 << 20, 4 << 20, 4 << 20, 8 << 20, 8 << 20, 3 << 20, 6 << 20))
        return max(0, base + r.choice((0, 0, 0, 0, 1, -1, 17, -511, 512, b, -b)))

    def length(self):
        """How much to write: within the budget."""
        n = self.size()
        if n > self.budget:
            n = self.rnd.randint(0, 3 * self.block)
        self.budget -= n
        return n

    def offset(self, path):
        """Where in a file: its end, its inside, behind its end, on a window's border, far out."""
        r, b, size = self.rnd, self.block, self.files.get(path, 0)
        kind = r.randrange(10)
        if kind < 3:
            at = size
        elif kind < 6:
            at = r.randint(0, size)
        elif kind < 7:
            at = r.randint(0, size) // b * b
        elif kind < 8:
            at = r.choice((1, 2, 4, 8, 16)) << 20
        elif kind < 9:
            at = size + r.choice((b, 2 * b, 10 * b, 100 * b, 1 << 20))
        else:
            at = r.choice((100 << 20, 1 << 30, 5 << 30, (1 << 32) - 1, 1 << 40))
        return max(0, at + r.choice((0, 0, 0, 0, 1, -1, b, -b)))

    # ---- names

    def fresh(self, directory):
        """A name that may or may not be there yet."""
        r = self.rnd
        kind = r.randrange(30)
        if kind < 22:
            name = f'{r.choice("fghd")}{r.randrange(40)}'
        elif kind < 25:
            name = 'name-%d-' % r.randrange(1000) + 'n' * r.randint(0, 200)
        elif kind < 26:
            name = chr(ord('a') + r.randrange(26)) * LONG
        elif kind < 27:
            name = r.choice(('...', '..f', '.hidden', '-', '~', 'a,b;c', '"quoted"', '\\', '#', '%s%n', 'lost+found'))
        elif kind < 28:
            name = 'größe-ñ-漢字-%d' % r.randrange(9)
        else:
            name = f'{r.randrange(10 ** 9)}'
        return self.join(directory, name)

    @staticmethod
    def join(directory, name):
        return (directory if directory != '/' else '') + '/' + name

    def directory(self):
        if self.profile == 'deep' and self.chance(0.6):
            return max(self.dirs, key=len) if self.chance(0.5) else self.dirs[-1]
        return self.pick(self.dirs)

    def some_file(self):
        return self.pick(self.files) if self.files else self.fresh(self.directory())

    def wrong_path(self):
        """A path that cannot be meant; sometimes it works all the same."""
        r, d, f = self.rnd, self.directory(), self.some_file()
        return r.choice((
            lambda: self.join(d, 'missing'),
            lambda: self.join(d, 'missing/below'),
            lambda: f + '/below',
            lambda: f + '/',
            lambda: f + '/.',
            lambda: f + '/..',
            lambda: d + '/',
            lambda: d + '/.',
            lambda: d + '/..',
            lambda: '/..',
            lambda: '/.',
            lambda: '/',
            lambda: '//',
            lambda: '/../../..' + f,
            lambda: self.join(d, 'L' * (LONG + 1)),
            lambda: self.join(d, 'L' * LONG),
            lambda: self.join(d, 'L' * (LONG + 1)) + '/x',
            lambda: self.join(d, 'new/'),
            lambda: self.padded(f, r.choice((PATH_MAX - 1, PATH_MAX, PATH_MAX - 2, PATH_MAX + 900))),
            lambda: self.padded(self.join(d, 'z'), r.choice((PATH_MAX - 1, PATH_MAX))),
            lambda: '/' + '/'.join('q' * 200 for _ in range(30)),
            lambda: f,
            lambda: d,
            lambda: self.pick(self.links or [f]),
            lambda: self.pick(self.links or [f]) + '/',
            lambda: self.pick(self.special or [d]),
        ))()

    @staticmethod
    def padded(path, length):
        """The same file by a path of that length."""
        pad = length - len(path.encode())
        if pad < 2:
            return path
        return '/.' * (pad // 2) + ('/' if pad % 2 else '') + path

    def bend(self, path):
        """The same place, said otherwise."""
        if not self.chance(0.08):
            return path
        return self.rnd.choice((lambda: '/' + path, lambda: '/.' + path, lambda: path.replace('/', '//'),
                                lambda: '/..' + path, lambda: self.pick(self.dirs) + '/..' + path if len(self.dirs) > 1 else path,
                                lambda: path + '/.' if path in self.dirs else path))()

    def wrong(self):
        return self.chance(WRONG.get(self.profile, 0.06))

    @staticmethod
    def is_lost_found(path):
        """However it is said. It stays what it is: e2fsck complains where it has gone, and has every right to."""
        return posixpath.normpath('/' + path).replace('//', '/') == '/lost+found'

    # ---- operations

    def op_open(self):
        r = self.rnd
        if len(self.fds) > 20:
            return self.op_close()
        slot = next(n for n in range(64) if n not in self.fds)
        if self.closed and self.chance(0.3):
            slot = self.pick(self.closed)
        path, flags = self.open_what()
        mode = r.choice(MODES)
        if slot in self.fds:
            return self.op_close()
        self.emit(f'open fd={slot}', path, '|'.join(flags), *([mode] if self.chance(0.6) else []))
        self.closed.discard(slot)
        self.fds[slot] = (path, flags, path in self.dirs)
        if 'O_CREAT' in flags and path not in self.dirs:
            self.files.setdefault(path, 0)
        if 'O_TRUNC' in flags and path in self.files:
            self.files[path] = 0

    def open_what(self):
        r = self.rnd
        flags = [r.choice(('O_RDWR', 'O_RDWR', 'O_RDWR', 'O_WRONLY', 'O_RDONLY'))]
        if self.wrong():
            path = self.wrong_path()
            if path in self.special:
                path = self.some_file()
            flags += [f for f in ('O_CREAT', 'O_EXCL', 'O_TRUNC', 'O_DIRECTORY', 'O_NOFOLLOW', 'O_APPEND', 'O_PATH', 'O_DIRECT')
                      if self.chance(0.2)]
            return path, flags
        if self.chance(0.1):
            return self.bend(self.directory()), ['O_RDONLY'] + (['O_DIRECTORY'] if self.chance(0.7) else [])
        if self.chance(0.55) or not self.files:
            path = self.fresh(self.directory())
            flags.append('O_CREAT')
        elif self.links and self.chance(0.15):
            path = self.pick(self.links)
        else:
            path = self.bend(self.some_file())
        flags += [f for f, share in (('O_CREAT', 0.1), ('O_EXCL', 0.1), ('O_TRUNC', 0.15), ('O_APPEND', 0.15),
                                     ('O_SYNC', 0.06), ('O_DSYNC', 0.06), ('O_NOFOLLOW', 0.08), ('O_NOATIME', 0.03),
                                     ('O_DIRECTORY', 0.03), ('O_NONBLOCK', 0.02), ('O_PATH', 0.02),
                                     ('O_DIRECT', 0.1 if self.profile != 'full' else 0))
                  if f not in flags and self.chance(share)]
        return path, flags

    def op_close(self):
        if self.fds and not self.chance(0.03):
            slot = self.pick(self.fds)
            del self.fds[slot]
        else:
            slot = self.rnd.randrange(40, 64)
            if slot in self.fds:
                return
        self.closed.add(slot)
        self.emit(f'close fd={slot}')

    def slot(self, writing=False):
        """A descriptor: mostly one that fits, sometimes a closed or wrong one."""
        if not self.fds or self.chance(0.02):
            return self.pick(self.closed) if self.closed and self.chance(0.5) else 63
        if not self.wrong():
            good = [s for s, (_, flags, isdir) in self.fds.items()
                    if not isdir and 'O_PATH' not in flags and (not writing or 'O_RDONLY' not in flags)]
            if good:
                return self.pick(good)
        return self.pick(self.fds)

    def path_of(self, slot):
        return self.fds[slot][0] if slot in self.fds else ''

    def file_of(self, slot):
        """The same, said in one way only."""
        return posixpath.normpath('/' + self.path_of(slot)).replace('//', '/')

    def fill(self):
        return f'fill=pat:{self.rnd.randrange(251)}' if self.chance(0.8) else f'fill={self.rnd.choice("abcz0")}'

    def chunk(self, n):
        if n > 2000 and self.chance(0.12):
            return [f'chunk={max(self.rnd.choice((512, 1000, self.block, self.block + 1, 65536)), n // 200)}']
        return []

    def grew(self, slot, end):
        path = self.path_of(slot)
        if path in self.files and end < 1 << 34:
            self.files[path] = max(self.files[path], end)

    def direct(self, slot):
        return slot in self.fds and 'O_DIRECT' in self.fds[slot][1]

    def sectors(self, off, n):
        """For direct I/O: in sectors, or refused at once where it begins. How far a longer one gets depends on where
        blocks lie."""
        off, n = off // 512 * 512, n // 512 * 512
        return (off + self.rnd.randrange(1, 512), n) if self.chance(0.1) else (off, n)

    def op_write(self):
        slot = self.slot(writing=True)
        if self.direct(slot):
            return self.op_pwrite(slot)
        n, at = self.length(), []
        if self.chance(0.3):
            off = self.offset(self.path_of(slot))
            at = [f'off={off}']
            self.grew(slot, off + n)
        else:
            self.grew(slot, self.files.get(self.path_of(slot), 0) + n)
        self.emit(f'write fd={slot} len={n}', *at, self.fill(), *self.chunk(n))

    def op_pwrite(self, slot=None):
        slot, n = self.slot(writing=True) if slot is None else slot, self.length()
        off = self.far_offset() if self.chance(0.02) or self.profile == 'wrong' and self.chance(0.15) else self.offset(self.path_of(slot))
        if self.direct(slot):
            off, n = self.sectors(off, n)
            self.emit(f'pwrite fd={slot} off={off} len={n}', self.fill())
        else:
            self.emit(f'pwrite fd={slot} off={off} len={n}', self.fill(), *self.chunk(n))
        self.grew(slot, off + n)

    def far_offset(self):
        """Around the largest file there can be, and beyond."""
        b = self.block
        edge = self.rnd.choice(((1 << 32) * b, ((1 << 32) - 1) * b, ((1 << 32) - 2) * b, 1 << 41, 1 << 62, (1 << 63) - 1, 1 << 44))
        return min(edge + self.rnd.choice((0, 0, -1, -b, 1, b, -10)), (1 << 63) - 1)

    def op_read(self):
        slot = self.slot()
        if self.direct(slot):
            return self.op_pread(slot)
        at = [f'off={self.offset(self.path_of(slot))}'] if self.chance(0.6) else []
        self.seen.add(self.file_of(slot))
        self.emit(f'read fd={slot} len={min(self.size(), 4 << 20)}', *at)

    def op_pread(self, slot=None):
        slot = self.slot() if slot is None else slot
        off = self.far_offset() if self.chance(0.03) else self.offset(self.path_of(slot))
        self.seen.add(self.file_of(slot))
        n = min(self.size(), 4 << 20)
        if self.direct(slot):
            off, n = self.sectors(off, n)
        self.emit(f'pread fd={slot} off={off} len={n}')

    def mapped_range(self, slot, most):
        """Mostly inside the file: what lies behind its last page is a signal."""
        size = self.files.get(self.path_of(slot), 0)
        if not size or self.chance(0.05):
            return self.offset(self.path_of(slot)) % (1 << 40), max(1, min(self.size(), most))
        off = self.rnd.randint(0, size - 1)
        if self.chance(0.3):
            off -= off % self.block
        return off, max(1, min(self.size(), size - off + self.rnd.choice((0, 0, 0, 10, 5000)), most))

    def op_mmapwrite(self):
        both = [s for s, (_, flags, isdir) in self.fds.items() if not isdir and 'O_RDWR' in flags]
        slot = self.pick(both) if both and not self.wrong() else self.slot(writing=True)
        off, n = self.mapped_range(slot, min(1 << 20, max(self.budget, 1)))
        self.budget -= n
        self.seen.add(self.file_of(slot))
        self.emit(f'mmapwrite fd={slot} off={off} len={n}', self.fill(),
                  *self.rnd.choice(((), (), (), ('sync=sync',), ('sync=async',))))

    def op_mmapread(self):
        slot = self.slot()
        off, n = self.mapped_range(slot, 1 << 20)
        self.seen.add(self.file_of(slot))
        self.emit(f'mmapread fd={slot} off={off} len={n}', *self.rnd.choice(((), (), ('advice=random',))))

    def op_freeze(self):
        """What waits for the thaw hangs on both sides; reading does not."""
        self.emit('freeze')
        for _ in range(self.rnd.randrange(3)):
            self.emit(self.rnd.choice(('statfs /', 'syncfs', 'freeze', 'access /')))
        self.emit('thaw')

    def op_fstrim(self):
        """How much is trimmed depends on where blocks lie: see compare.py."""
        self.emit('fstrim', *self.rnd.choice(((), (), ('off=0', 'len=1M'), ('off=1M', 'len=100'), ('off=1024G',))))

    def op_checkpoint(self):
        self.emit(f'checkpoint flags={self.rnd.choice((0, 0, 1, 2, 3, 4, 5, 8))}')

    def op_lseek(self):
        slot = self.slot()
        whence = self.rnd.choice(('set', 'cur', 'end', 'data', 'hole', 'data', 'hole'))
        if self.maps or self.file_of(slot) in self.promised & self.seen or self.promised and self.renamed_any():
            whence = 'set'              # on Linux, unwritten blocks are data once read-ahead has cached them
        off = self.far_offset() if self.chance(0.05) else self.offset(self.path_of(slot))
        if self.chance(0.15):
            off = -off if off < 1 << 62 else off
        self.emit(f'lseek fd={slot} off={off} whence={whence}')

    def renamed_any(self):
        """Files may have other names by now."""
        return any(l.startswith(('rename ', 'link ', 'flink ')) for l in self.lines)

    def new_size(self, path):
        if self.chance(0.03):
            return self.far_offset()
        return self.offset(path) if self.chance(0.5) else self.size()

    def op_ftruncate(self):
        slot = self.slot(writing=True)
        path = self.path_of(slot)
        n = self.new_size(path)
        if self.chance(0.01):
            n = -1
        self.emit(f'ftruncate fd={slot} len={n}')
        if path in self.files and 0 <= n < 1 << 34:
            self.files[path] = n

    def op_truncate(self):
        path = self.any_path()
        n = self.new_size(path)
        self.emit('truncate', path, n)
        if path in self.files and n < 1 << 34:
            self.files[path] = n

    FALLOCATE = ('alloc', 'alloc', 'keep', 'keep', 'punch', 'punch', 'punch', 'zero', 'zero', 'zero,keep', 'collapse', 'insert')

    def op_fallocate(self):
        slot, mode = self.slot(writing=True), self.rnd.choice(self.FALLOCATE)
        if self.wrong():
            mode = self.rnd.choice(('collapse,keep', 'insert,keep', 'punch,zero', 'collapse,insert', 'zero,collapse', 'alloc'))
        path = self.path_of(slot)
        self.promised.add(self.file_of(slot))
        off, n = self.offset(path), self.size()
        if self.chance(0.02):
            off = self.far_offset()
        if self.chance(0.7 if mode in ('collapse', 'insert') else 0.4):
            off, n = off // self.block * self.block, max(n // self.block, 1) * self.block
        if mode in ('alloc', 'keep', 'zero', 'zero,keep') and off + n > 1 << 28:
            n = min(n, 100 * self.block)
        self.emit(f'fallocate fd={slot} mode={mode} off={off} len={n}')
        if path in self.files and off + n < 1 << 34:
            size = self.files[path]
            if mode in ('alloc', 'zero'):
                self.files[path] = max(size, off + n)
            elif mode == 'collapse' and off + n < size:
                self.files[path] = size - n
            elif mode == 'insert' and off < size:
                self.files[path] = size + n

    def op_copy_file_range(self):
        a, b = self.slot(), self.slot(writing=True)
        off, to, n = self.offset(self.path_of(a)), self.offset(self.path_of(b)), self.length()
        if self.direct(a) or self.direct(b):
            return self.op_pread(a)     # in pieces of the kernel's own choice, of which the last may be refused
        self.emit(f'copy_file_range fd={a} fd2={b} off={off} to={to} len={n}')
        self.seen.add(self.file_of(a))
        self.grew(b, to + min(n, max(self.files.get(self.path_of(a), 0) - off, 0)))

    def op_fsync(self):
        self.emit(f'fsync fd={self.slot()}')

    def op_fdatasync(self):
        self.emit(f'fdatasync fd={self.slot()}')

    def op_sync_file_range(self):
        slot = self.slot()
        self.emit(f'sync_file_range fd={slot} off={self.offset(self.path_of(slot))} len={self.size()}')

    def op_syncfs(self):
        self.emit('syncfs')

    def op_mkdir(self):
        path = self.wrong_path() if self.wrong() else self.fresh(self.directory())
        if self.chance(0.05) and not path.endswith('/'):
            path += '/'
        self.emit('mkdir', path, *([self.rnd.choice(MODES)] if self.chance(0.5) else []))
        name = path.rstrip('/')
        if name and name not in self.dirs and name not in self.files and len(name) < 3000 and '/.' not in name:
            self.dirs.append(name)

    def op_rmdir(self):
        path = self.wrong_path() if self.wrong() else self.bend(self.directory())
        if self.is_lost_found(path):
            return
        self.emit('rmdir', path)
        inside = path.rstrip('/') + '/'
        if path in self.dirs and path != '/' and not any(p.startswith(inside) for p in list(self.files) + self.dirs + self.links):
            self.dirs.remove(path)

    def op_unlink(self):
        path = self.wrong_path() if self.wrong() else self.any_path()
        self.emit('unlink', path)
        self.files.pop(path, None)
        if path in self.links:
            self.links.remove(path)

    def new_path(self):
        """Where a name is to be made."""
        path = self.wrong_path() if self.wrong() else self.fresh(self.directory())
        return path + '/' if self.chance(0.03) and not path.endswith('/') else path

    def op_link(self):
        old, new = self.any_path(), self.new_path()
        self.emit('link', old, new)
        if old in self.files and not new.endswith('/'):
            self.files.setdefault(new, self.files[old])

    def op_symlink(self):
        new, n = self.new_path(), self.rnd.choice((1, 58, 59, 60, 61, 200, self.block - 1, self.block, 4095, 4096))
        if self.chance(0.5):
            self.emit(f'symlink len={min(n, 4096)}', new)
        else:
            target = self.any_path()
            if self.chance(0.3):
                target = self.rnd.choice(('..', '.', 'f1', '../f1', '/', 'loop', target + '/..', '../' + target.lstrip('/')))
            self.emit('symlink', target, new)
        if new not in self.files and new not in self.dirs:
            self.links.append(new)

    def op_mknod(self):
        """What Linux opens is left out: a FIFO that stays where it is, and devices that nothing drives."""
        new = self.new_path()
        kind = self.rnd.choice(('f', 'f', 's', 'c', 'b', 'c0', 'p'))
        if kind == 'p':
            new = self.join(self.directory(), f'fifo{self.rnd.randrange(9)}')
        more = {'c': ('240', '7'), 'b': self.rnd.choice((('259', '70000'), ('240', '255'))), 'c0': ('0', '0')}.get(kind, ())
        self.emit('mknod', new, kind[0], self.rnd.choice(MODES), *more)
        if kind == 'f' and new not in self.dirs:
            self.files.setdefault(new, 0)

    def op_rename(self):
        kind = self.rnd.randrange(10)
        old = self.wrong_path() if self.wrong() else (self.bend(self.directory()) if kind < 4 else
                                                       self.pick(self.links) if kind < 6 and self.links else self.some_file())
        new = self.new_path() if self.chance(0.55) else self.any_path()
        if old in self.special or new in self.special or '/fifo' in old + new or self.is_lost_found(old) or self.is_lost_found(new):
            return
        how = self.rnd.choice(('', '', '', '', 'noreplace', 'exchange', 'exchange', 'whiteout'))
        self.emit('rename', old, new, *([how] if how else []))
        self.moved(old, new, how == 'exchange')

    def moved(self, old, new, exchange):
        """What it believes to be called otherwise now."""
        def now(path):
            for a, b in ((old, new), (new, old)) if exchange else ((old, new),):
                if path == a or path.startswith(a + '/'):
                    return b + path[len(a):]
            return path

        known = [*self.files, *self.dirs, *self.links]
        if '/.' in new or new.endswith('/') or old == '/' or new == '/' or new.startswith(old + '/') or old not in known or \
                (exchange and new not in known) or len(new) > 2000:
            return
        if not exchange and new != old:
            self.files.pop(new, None)
            self.dirs = [d for d in self.dirs if d != new]
            self.links = [x for x in self.links if x != new]
        self.files = {now(p): n for p, n in self.files.items()}
        self.dirs = [now(p) for p in self.dirs]
        self.links = [now(p) for p in self.links]
        self.special = [now(p) for p in self.special]
        self.fds = {s: (now(p), flags, isdir) for s, (p, flags, isdir) in self.fds.items()}

    def op_nameless(self):
        """O_TMPFILE, and sometimes its name."""
        if len(self.fds) > 20:
            return self.op_close()
        slot = next(n for n in range(64) if n not in self.fds)
        flags = ['O_TMPFILE', self.rnd.choice(('O_RDWR', 'O_RDWR', 'O_WRONLY', 'O_RDONLY' if self.wrong() else 'O_RDWR'))]
        if self.chance(0.2):
            flags.append('O_EXCL')
        where = self.any_path() if self.wrong() else self.directory()
        self.emit(f'open fd={slot}', where, '|'.join(flags), self.rnd.choice(MODES))
        self.closed.discard(slot)
        self.fds[slot] = ('', flags, False)
        if self.chance(0.7):
            n = self.length()
            self.emit(f'write fd={slot} len={n}', self.fill())
        if self.chance(0.6):
            self.name_slot(slot)

    def name_slot(self, slot):
        new = self.new_path()
        self.emit(f'flink fd={slot}', new)
        if new not in self.dirs and not new.endswith('/'):
            self.files.setdefault(new, 0)

    def op_flink(self):
        self.name_slot(self.slot())

    def any_path(self):
        if self.wrong():
            return self.wrong_path()
        if self.chance(0.12):
            return self.bend(self.directory())
        if self.links and self.chance(0.1):
            return self.pick(self.links)
        return self.bend(self.some_file())

    def op_stat(self):
        self.emit('stat', self.any_path())

    def op_lstat(self):
        self.emit('lstat', self.any_path())

    def op_fstat(self):
        self.emit(f'fstat fd={self.slot()}')

    def op_access(self):
        self.emit('access', self.any_path())

    def op_readlink(self):
        self.emit('readlink', self.pick(self.links) if self.links and self.chance(0.7) else self.any_path())

    def op_readdir(self):
        self.emit('readdir', self.any_path() if self.wrong() else self.directory())

    def op_statfs(self):
        self.emit('statfs', self.any_path() if self.wrong() else '/')

    def op_fiemap(self):
        slot = self.slot()
        if self.maps:
            self.emit(f'fsync fd={slot}')
        self.emit(f'fiemap fd={slot}')

    def op_fadvise(self):
        slot = self.slot()
        self.emit(f'fadvise fd={slot} advice={self.rnd.choice(("dontneed", "willneed", "random", "normal", "sequential", "noreuse"))}',
                  *self.rnd.choice(((), (), (f'off={self.offset(self.path_of(slot)) % (1 << 40)}', f'len={self.size()}'))))

    def op_chmod(self):
        self.emit('chmod', self.any_path(), self.rnd.choice(MODES))

    def op_sleep(self):
        self.emit('sleep', self.rnd.choice((1, 5, 20)))

    def op_sync(self):
        self.emit('syncfs')

    def op_remount(self):
        if self.chance(0.3):
            self.emit('remount ro')
            for _ in range(self.rnd.randint(1, 4)):
                self.one()
            self.emit('remount rw')
        else:
            self.emit('remount', ',' + self.rnd.choice(REMOUNT_OPTIONS))     # a word with = must not begin with a letter

    def op_cycle(self):
        """umount and mount; with files open it is refused first."""
        if self.chance(0.2):
            self.emit('umount')
            if not self.fds:
                return self.emit('mount')
        for slot in list(self.fds):
            self.emit(f'close fd={slot}')
            self.closed.add(slot)
        self.fds = {}
        self.emit('umount')
        if self.chance(0.4) and self.mount_options:
            self.emit('mount', ',' + self.pick(self.mount_options))
        elif self.chance(0.15):
            self.emit('mount ro')
            for _ in range(self.rnd.randint(1, 4)):
                self.one()
            self.op_leave()
        else:
            self.emit('mount')

    def op_leave(self):
        for slot in list(self.fds):
            self.emit(f'close fd={slot}')
            self.closed.add(slot)
        self.fds = {}
        self.emit('umount')
        self.emit('mount')

    def op_burst(self):
        """Many small files in one directory, some removed again."""
        d, n = self.directory(), self.rnd.randint(5, 25)
        slot = next(n for n in range(64) if n not in self.fds)
        start = self.rnd.randrange(1000)
        for i in range(start, start + n):
            path = self.join(d, f'small{i}-' + 's' * self.rnd.choice((0, 3, 40)))
            self.emit(f'open fd={slot}', path, 'O_CREAT|O_RDWR')
            size = self.rnd.choice((0, 1, 10, 300, 4000, self.block))
            if size:
                self.emit(f'write fd={slot} len={size}', self.fill())
            self.emit(f'close fd={slot}')
            self.files[path] = size
            if self.chance(0.2):
                self.emit('unlink', path)
                self.files.pop(path)
        self.closed.add(slot)

    def one(self):
        ops, weights = zip(*((o, w) for o, w in self.weights.items() if o not in ('cycle', 'remount') or not self.nested))
        was, self.nested = self.nested, True
        op = self.rnd.choices(ops, weights)[0]
        if op in ('cycle', 'remount'):
            getattr(self, 'op_' + op)()
            self.nested = was
        else:
            self.nested = was
            getattr(self, 'op_' + op)()

    nested = False

    def generate(self):
        while len(self.lines) < self.ops:
            self.one()
        if self.shutdown:
            self.emit('shutdown', self.rnd.choice(('default', 'logflush', 'nologflush')))
        return '\n'.join([f'# profile {self.profile}'] + self.lines) + '\n'


def prelude(seed, block=4096):
    """What Linux does with the image before the script: a script, and what is there then, [(kind, path)]."""
    r = random.Random(f'prelude {seed}')
    lines, there = [], []

    def add(kind, path, *texts):
        there.append((kind, path))
        lines.extend(texts)

    add('d', '/p', 'mkdir /p')
    add('d', '/p/many', 'mkdir /p/many', 'open fd=1 /p/keep O_CREAT|O_RDWR', 'write fd=1 len=9000 fill=pat:5', 'close fd=1')
    there.append(('f', '/p/keep'))
    for i in range(r.choice((3, 60, 250, 700))):            # a list, one block, a tree
        lines.append(f'link /p/keep /p/many/{"n" * r.choice((1, 10, 60))}{i}')
    there.append(('f', lines[-1].split()[2]))
    for name, target in (('dir', '/p'), ('file', 'keep'), ('up', '../p/keep'), ('nowhere', 'missing'), ('loop', 'loop'),
                         ('chain', 'file'), ('deep', 'dir/dir/dir/many'), ('root', '/'), ('new', '/p/made-by-link')):
        add('l', f'/p/{name}', f'symlink {target} /p/{name}')
    for n in (59, 60, 61, 200, min(block - 1, 4095)):
        add('l', f'/p/long{n}', f'symlink len={n} /p/long{n}')
    for name, what in (('fifo', 'p 0644'), ('socket', 's 0600'), ('char', 'c 0600 5 1'), ('block', 'b 0600 7 300')):
        add('s', f'/p/{name}', f'mknod /p/{name} {what}')
    sparse = r.choice((40, 200, 700))
    add('f', '/p/pieces', 'open fd=1 /p/pieces O_CREAT|O_RDWR',
        *(f'pwrite fd=1 off={i * 2 * block} len={block} fill=pat:{i % 200}' for i in range(sparse)), 'fsync fd=1', 'close fd=1')
    add('f', '/p/promised', 'open fd=1 /p/promised O_CREAT|O_RDWR', f'fallocate fd=1 mode=alloc off=0 len={100 * block}',
        f'pwrite fd=1 off={7 * block} len={3 * block} fill=pat:9', f'fallocate fd=1 mode=keep off=0 len={150 * block}',
        f'fallocate fd=1 mode=punch off={20 * block} len={9 * block}', 'close fd=1')
    add('f', '/p/far', 'open fd=1 /p/far O_CREAT|O_RDWR',
        *(f'pwrite fd=1 off={off} len=5000 fill=pat:7' for off in (0, 13 * block, 300 * block, 70000 * block + 5)), 'close fd=1')
    for i in range(3):
        lines.append(f'setxattr /p/keep user.a{i} len={r.choice((5, 60, 400))}')
        lines.append(f'setxattr /p user.d{i} len={r.choice((5, 60))}')
    return '\n'.join(lines) + '\n', there


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('seed')
    a.add_argument('--profile', choices=PROFILES)
    a.add_argument('--ops', type=int)
    a.add_argument('--block', type=int, default=4096)
    o = a.parse_args()
    print(Script(o.seed, o.profile, o.ops, o.block).generate(), end='')


if __name__ == '__main__':
    main()
