#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What one side leaves behind, cleanly or by a crash, the other mounts, recovers and reads.

    both_ways.py EXTANT [--count N] [--seed S] [--only SEED...] [--keep DIR] [-v]

For each seed a kind of image and a script (genscript.py), run by extant or by Linux, in turn. The states
of the device at some moments of the script (`snapshot`), after its end (unmounted) or after a `shutdown`
(the crash) are the images. Of each image
    linux    mounts a copy, which replays the journal and ends what orphans there are, and unmounts it
    extant   does so with another copy
    e2fsck   -fy repairs a third, and may find nothing but the journal to replay and orphans to end
    -        the three hold the same tree: names, modes, links, sizes, blocks, bytes, inode numbers; and
             e2fsck -fn finds nothing in any
    -        extant, mounted read-only on the image as it is, answers every question about the tree as
             Linux does of its recovered copy: attributes, listings in order, bytes, where blocks lie
and the image that was mounted read-only is as before, byte for byte.
Without root or loop devices: exit 77.
"""
import argparse
import collections
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import compare
import genscript
import random_scripts
import sides
from sides import Died

SNAPSHOTS = 3                   # in a script
FILES_READ = 120                # of a tree, by the reading script
KINDS = [k for k in sides.KINDS if k.write]

# What e2fsck says of a journal replayed and orphans ended; all else is a complaint. The superblock's free counts are
# sums of the groups', which a mount makes again, and are right on the device only after an unmount; and the mark that
# there are orphans stays when the last of them has gone.
FSCK_HARMLESS = re.compile(
    r'^$|^e2fsck |^Pass |: recovering journal|^Clearing orphaned inode|^Truncating orphaned inode|files \(|'
    r'FILE SYSTEM WAS MODIFIED|^Setting free (inodes|blocks) count to|^Orphan file|^Inode \d+ .*orphan|'
    r'^Free (blocks|inodes) count wrong \(\d+, counted=\d+\)\.$|^Feature orphan_present is set but orphan file is clean\.$|'
    r'^(Fix|Clear)\? yes$')


class Case(random_scripts.Case):
    def __init__(self, seed, folder):
        super().__init__(seed, folder, KINDS[seed % len(KINDS)])
        self.rnd = random.Random(f'both ways {seed}')
        self.crash = self.rnd.random() < 0.7 and self.kind.journal
        self.by_linux = self.rnd.random() < 0.5

    def prepare(self, kernel):
        super().prepare(kernel)
        with open(self.script) as f:
            lines = f.read().splitlines()
        for n in range(SNAPSHOTS if self.kind.journal else 0):      # without one, only an unmount makes things right
            at = self.rnd.randrange(len(lines) // 3, len(lines) + 1)
            lines[at:at] = self.moment(lines[:at], n)
        if self.crash:
            lines.append('shutdown ' + self.rnd.choice(('default', 'logflush', 'nologflush')))
        with open(self.script, 'w') as f:
            f.write('\n'.join(lines) + '\n')

    def moment(self, before, n):
        """A snapshot; Linux gets a pause to finish what it has begun, as copying takes time."""
        opened = [l.split()[1] for l in before if l.startswith('open ')]
        fsync = [f'{self.rnd.choice(("fsync", "fdatasync"))} {self.rnd.choice(opened)}'] if opened else []
        return self.rnd.choice(([], fsync, fsync, ['syncfs'])) + ['sleep 20', f'snapshot s{n}']

    def images(self, kernel, extant):
        """Runs the script; the images it leaves: [(what, path)]."""
        side = kernel if self.by_linux else extant
        image = self.path('run.img')
        random_scripts.copy(self.base, image)
        snapshots = self.path('snapshots')
        os.makedirs(snapshots, exist_ok=True)
        side.run(image, self.script, self.path('run.jsonl'), self.kind.options(), snapshots=snapshots)
        out = []
        for n in range(SNAPSHOTS):
            for name in (f's{n}', f's{n}.img'):
                path = os.path.join(snapshots, name)
                if os.path.exists(path):
                    out.append((f'snapshot {n}', path))
        return out + [('after the shutdown' if self.crash else 'unmounted', image)]


# ---- three ways to recover

def by_linux(image):
    with sides.Mounted(image, 'rw'):
        pass


def by_fsck(image):
    p = sides.run(['e2fsck', '-fy', '-E', 'no_optimize_extents', image])
    wrong = [l for l in p.stdout.splitlines() if not FSCK_HARMLESS.search(l)]
    if wrong or p.returncode not in (0, 1):
        raise Died(f'e2fsck -fy: exit {p.returncode}: ' + '; '.join(wrong[:6]))


class Recovered:
    """Copies of an image, each recovered in another way."""

    def __init__(self, case, image, extant):
        self.case, self.image, self.extant = case, image, extant
        self.empty = case.path('empty.wl')
        open(self.empty, 'w').close()
        self.wrong = []
        self.trees = {}

    def by_extant(self, image):
        self.extant.run(image, self.empty, self.case.path('empty.jsonl'), sides.MOUNT)

    def path(self, who):
        return self.case.path(f'{who}.img')

    def all(self):
        for who, recover in (('linux', by_linux), ('extant', self.by_extant), ('e2fsck', by_fsck)):
            random_scripts.copy(self.image, self.path(who))
            try:
                recover(self.path(who))
                found = sides.fsck(self.path(who))
                if found:
                    self.wrong.append(f'recovered by {who}: {found}')
                self.trees[who] = sides.tree(self.path(who))
            except Died as e:
                self.wrong.append(f'recovered by {who}: {e}')
        for who in ('extant', 'e2fsck'):
            if who in self.trees and 'linux' in self.trees:
                d = sides.tree_differences(self.trees['linux'], self.trees[who])
                self.wrong += random_scripts.most(
                    [f'linux and {who}: {compare.short(p)}: {what} {x} {y}' for p, what, x, y in d], 'differences')


# ---- reading

def reading_script(tree, rnd):
    """Every question about the things of a tree."""
    seeking, lines = [], []
    paths = sorted(tree)
    if len(paths) > FILES_READ:
        paths = sorted(rnd.sample(paths, FILES_READ))
    for path in paths:
        name, e = path.encode('latin-1').decode('utf-8', 'replace'), tree[path]
        if re.search(r'\s', name) or '�' in name:
            continue
        kind = int(e['mode'], 8) >> 12
        lines.append(f'lstat {name}')
        if kind == 0o04:
            lines.append(f'readdir {name}')
        elif kind == 0o12:
            lines.append(f'readlink {name}')
        elif kind == 0o10:
            seeking += seeking_file(name, e['size'], rnd)
            lines += reading_file(name, e['size'], rnd)
    return '\n'.join(seeking + lines) + '\n'


def seeking_file(name, size, rnd):
    """
    Before anything is read. Unwritten blocks are a hole as long as no page of them is cached and data from then on, on
    both sides; how far a read caches ahead is each side's own affair.
    """
    if not size:
        return []
    lines = [f'lseek fd=1 off={rnd.randrange(size)} whence={w}' for w in ('data', 'hole', 'data', 'hole')]
    return [f'open fd=1 {name} O_RDONLY', *lines, 'close fd=1']


def reading_file(name, size, rnd):
    lines = [f'open fd=1 {name} O_RDONLY', 'fiemap fd=1', f'pread fd=1 off=0 len={min(size, 4 << 20) + 100}']
    if size > 4 << 20:
        lines += [f'pread fd=1 off={max(0, at)} len=70000'
                  for at in (size - 65000, rnd.randrange(size), rnd.randrange(size))]
    return lines + ['close fd=1']


def where(r):
    """All of a result but times and what tells of the mount; blocks where they lie, pieces joined."""
    p = compare.plain(r)
    if 'extents' in r:
        out = []
        for logical, physical, length, flags in r['extents']:
            f = int(flags, 16) & ~(0x1000 | 1)
            if out and out[-1][3] == f and out[-1][0] + out[-1][2] == logical and out[-1][1] + out[-1][2] == physical:
                out[-1][2] += length
            else:
                out.append([logical, physical, length, f])
        p['extents'] = out
    return p


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while data := f.read(1 << 20):
            h.update(data)
    return h.digest()


def read_both(case, image, recovered, kernel, extant):
    script = case.path('reading.wl')
    with open(script, 'w') as f:
        f.write(reading_script(recovered.trees['linux'], case.rnd))
    kernel.run(recovered.path('linux'), script, case.path('reading-linux.jsonl'), 'ro')
    before = digest(image)
    extant.run(image, script, case.path('reading-extant.jsonl'), 'ro')
    wrong = [] if digest(image) == before else ['extant wrote to an image that it mounted read-only']
    a, b = (sides.load(case.path(f'reading-{who}.jsonl')) for who in ('linux', 'extant'))
    return wrong + [compare.say(x, y) for x, y in zip(a, b) if where(x) != where(y)]


def examine(case, kernel, extant):
    case.prepare(kernel)
    wrong, count = [], 0
    for what, image in case.images(kernel, extant):
        count += 1
        r = Recovered(case, image, extant)
        r.all()
        found = r.wrong
        if 'linux' in r.trees:
            try:
                found = found + random_scripts.most(read_both(case, image, r, kernel, extant), 'answers differ')
            except Died as e:
                found = found + [f'reading: {e}']
        wrong += [f'  {what}: {line}' for line in found]
        if found:
            shutil.copyfile(image, case.path('wrong.img'))
    return wrong, count


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('extant')
    a.add_argument('--count', type=int, default=8)
    a.add_argument('--seed', default=None)
    a.add_argument('--only', type=int, nargs='+')
    a.add_argument('--keep')
    a.add_argument('-v', '--verbose', action='store_true')
    o = a.parse_args()
    sides.enter_namespace()
    base = o.seed or random_scripts.commit()
    work = os.path.abspath(o.keep) if o.keep else tempfile.mkdtemp(prefix='extant-ways-')
    os.makedirs(work, exist_ok=True)
    kernel, extant = sides.Kernel(work), sides.Extant(os.path.abspath(o.extant))
    counts, bad = collections.Counter(), 0
    chosen = o.only or random_scripts.seeds('both ways ' + base, o.count)
    try:
        for seed in chosen:
            case = Case(seed, os.path.join(work, str(seed)))
            try:
                wrong, count = examine(case, kernel, extant)
            except (Died, subprocess.TimeoutExpired) as e:
                wrong, count = [f'  {e}'], 0
            who = f'{"linux" if case.by_linux else "extant"}, {"crashed" if case.crash else "clean"}'
            counts[who] += 1
            counts['images'] += count
            if wrong:
                bad += 1
                print(f'FAILED seed {seed} {case.kind.name} {getattr(case, "profile", "")}, by {who} '
                      f'(repeat: {sys.argv[0]} {o.extant} --only {seed} --keep DIR)')
                print('\n'.join(wrong), flush=True)
            elif o.verbose:
                print(f'ok seed {seed} {case.kind.name} {case.profile}, by {who}: {count} images', flush=True)
            if not o.keep:
                shutil.rmtree(case.dir)
        print(f'{len(chosen)} scripts, {bad} failed:', ', '.join(f'{k} {n}' for k, n in sorted(counts.items())),
              f'(seeds from {base})')
    finally:
        if not o.keep:
            shutil.rmtree(work, ignore_errors=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
