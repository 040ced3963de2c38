#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Directories with many names against e2fsck and Linux.

ours   names come and go; the check and e2fsck find nothing, and the directory lists what is there
linux  the same done by extant and by this machine's kernel: the same tree, leaf for leaf and name for name;
       each lists both images in the same order

In every block size, hash and signedness, with and without checksums, as a tree and linear. What comes and goes is
drawn from the seed. (Where names of one hash lie on both sides of a cut, Linux orders them by an accident of its
sorting; seeds are chosen so that it does not matter.)

Usage: names_vs_linux.py EXTANT CHECK_IMAGE ours|linux [--names N] [--seed N]
"""
import argparse
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'oracle'))
import loopmount
from loopmount import Mounted

TOOLS = ('mke2fs', 'debugfs', 'e2fsck', 'losetup')
LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789éü'
HASH_SEED = '1f0c9a52-7d3e-4b68-8a94-c35d7e20b6f1'

# mke2fs's options; what debugfs sets in the superblock; the longest name; more names than --names says
SHAPES = [
    ('-b 4096', [], 40, 1),
    ('-b 4096', ['def_hash_version tea'], 200, 1),
    ('-b 1024', ['def_hash_version legacy'], 60, 1),
    ('-b 1024 -O ^metadata_csum', ['def_hash_version tea', 'flags 2'], 120, 1),
    ('-b 2048', ['flags 1'], 12, 2),
    ('-b 1024 -O large_dir', [], 250, 1),
    ('-b 4096 -O ^metadata_csum,^64bit', ['def_hash_version legacy', 'flags 2'], 60, 2),
    ('-b 1024 -O ^dir_index', [], 60, 0.2),
    ('-b 4096 -O ^dir_index,^metadata_csum', [], 250, 0.2),
]


def run(args, **kw):
    return subprocess.run(args, capture_output=True, text=True, errors='replace', **kw)


def must(args, **kw):
    r = run(args, **kw)
    if r.returncode:
        sys.exit(f"{' '.join(args)}: status {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


def draw(rnd, count, longest):
    """What is done: ('+' or '-', name); and the names that are there in the end."""
    done, there, ever = [], [], set()
    while len(done) < count:
        if there and rnd.random() < 0.15:
            at = rnd.randrange(len(there))
            there[at], there[-1] = there[-1], there[at]
            done.append(('-', there.pop()))
            continue
        name = ''.join(rnd.choice(LETTERS) for _ in range(rnd.randint(1, longest)))
        if name not in ever and len(name.encode()) <= 255:
            ever.add(name)
            there.append(name)
            done.append(('+', name))
    return done, set(there)


class Bench:
    def __init__(self, extant, check_image):
        self.extant, self.check_image = os.path.abspath(extant), os.path.abspath(check_image)
        self.dir = tempfile.mkdtemp(prefix='extant-names-')

    def path(self, name):
        return os.path.join(self.dir, name)

    def make(self, options, settings, names):
        image = self.path('image')
        with contextlib.suppress(FileNotFoundError):
            os.unlink(image)
        size = str(64 + names // 100) + 'M'
        must(['mke2fs', '-q', '-F', '-t', 'ext4', '-N', str(names + 100), *options.split(), '-E', 'hash_seed=' + HASH_SEED,
              image, size])
        for setting in settings:
            must(['debugfs', '-w', '-R', 'ssv ' + setting, image])
        return image

    def copy(self, image, name):
        must(['cp', '--sparse=always', image, self.path(name)])
        return self.path(name)

    # ---- extant

    def script(self, image, lines):
        results = self.path('results')
        with open(self.path('script'), 'w', encoding='utf-8') as f:
            f.write('\n'.join(lines) + '\n')
        must([self.extant, 'run', '-o', 'dialect=6.18', '--results', results, image, self.path('script')])
        with open(results, encoding='utf-8') as f:
            results = [json.loads(line) for line in f]
        for r in results:
            if r.get('ret', 0) < 0:
                sys.exit(f"{r['cmd']}: {r}")
        return results

    def extant_does(self, image, done):
        lines = ['mkdir /d 0755']
        for what, name in done:
            if what == '+':
                lines += [f'open fd=1 /d/{name} O_CREAT|O_EXCL|O_RDWR 0644', 'close fd=1']
            else:
                lines += [f'unlink /d/{name}']
        self.script(image, lines)

    def extant_lists(self, image):
        listings = [r['entries'] for r in self.script(image, ['readdir /d']) if 'entries' in r]
        names = [e.encode('latin-1').decode() for e in listings[0]]       # a character a byte
        return [e for e in names if e not in ('.', '..')]

    # ---- Linux

    def linux_does(self, image, done):
        with Mounted(image, 'noinit_itable') as where:
            os.mkdir(where + '/d', 0o755)
            for what, name in done:
                path = f'{where}/d/{name}'.encode()
                if what == '+':
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644))
                else:
                    os.unlink(path)

    def linux_lists(self, image):
        with Mounted(image, 'noinit_itable') as where:
            return [e.decode() for e in os.listdir((where + '/d').encode())]

    # ---- judges

    def tree(self, image):
        """The hash tree and all leaves, as debugfs prints them, but for inode numbers; nothing where there is none."""
        tree = []
        for line in run(['debugfs', '-R', 'htree_dump /d', image]).stdout.splitlines():
            entries = re.findall(r'(\d+) (0x\w{8}-\w{8} \(\d+\) \S*)', line)
            if entries:
                tree += [('used ' if ino != '0' else 'free ') + entry for ino, entry in entries]
            elif line.strip() and 'hecksum' not in line:
                tree.append(line.strip())
        return tree

    def judge(self, image):
        said = run([self.check_image, image])
        if said.returncode:
            sys.exit('the check: ' + said.stdout + said.stderr)
        said = run(['e2fsck', '-fn', image])
        if said.returncode:
            sys.exit('e2fsck: ' + said.stdout + said.stderr)


def expect_equal(what, ours, theirs):
    if ours == theirs:
        return
    for at, (a, b) in enumerate(zip(ours + [None], theirs + [None])):
        if a != b:
            sys.exit(f'{what}: at {at}, {a!r} and {b!r}')


def try_shape(bench, shape, mode, names, seed):
    options, settings, longest, factor = shape
    done, there = draw(random.Random(f'{seed} {options} {settings}'), int(names * factor), longest)
    image = bench.make(options, settings, int(names * factor))
    ours = bench.copy(image, 'ours')
    bench.extant_does(ours, done)
    bench.judge(ours)
    listed = bench.extant_lists(ours)
    if len(listed) != len(there) or set(listed) != there:
        sys.exit(f'{len(listed)} names are listed, {len(there)} are there')
    bench.judge(ours)
    tree = bench.tree(ours)
    if mode == 'linux':
        theirs = bench.copy(image, 'theirs')
        bench.linux_does(theirs, done)
        expect_equal('the tree', tree, bench.tree(theirs))
        expect_equal('our directory, listed by both', listed, bench.linux_lists(ours))
        expect_equal("Linux's directory, listed by both", bench.extant_lists(theirs), bench.linux_lists(theirs))
    leaves = sum(line.startswith('Reading') for line in tree)
    print(f"{options} {', '.join(settings)}: {len(there)} names, {leaves or 'no'} leaves", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('extant')
    p.add_argument('check_image')
    p.add_argument('mode', choices=['ours', 'linux'])
    p.add_argument('--names', type=int, default=1500)
    p.add_argument('--seed', type=int, default=1)
    a = p.parse_args()
    os.environ['PATH'] += ':/sbin:/usr/sbin'
    missing = [t for t in TOOLS if not shutil.which(t)]
    if missing:
        print('skipped: needs ' + ', '.join(missing))
        sys.exit(77)
    loopmount.own_namespace()
    bench = Bench(a.extant, a.check_image)
    try:
        if a.mode == 'linux' and not loopmount.can_mount():
            print('skipped: needs root and loop devices')
            sys.exit(77)
        for shape in SHAPES:
            try_shape(bench, shape, a.mode, a.names, a.seed)
    finally:
        shutil.rmtree(bench.dir, ignore_errors=True)


if __name__ == '__main__':
    main()
