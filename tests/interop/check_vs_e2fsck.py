#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the whole-image check against `e2fsck -fn`.

clean   images of many kinds, filled by debugfs: both find nothing
damage  one field of one structure changed, checksums made right again: both find it
random  fields drawn from a seed, checksums right: both say the same, clean or not
kernel  Linux leaves orphans of every sort behind and loses power: once the journal is replayed (by
        debugfs, which leaves orphans alone) nothing is wrong and all orphans are seen

Usage: check_vs_e2fsck.py CHECK_IMAGE clean|damage|random|kernel [--seed N] [--cases N]
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

from ext4img import EXTENTS_FL, INDEX_FL, SUPER, Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'oracle'))
import loopmount

TOOLS = ('mke2fs', 'debugfs', 'e2fsck')
CLEAN = [
    '-t ext4', '-t ext4 -b 1024', '-t ext4 -b 2048', '-t ext4 -b 8192', '-t ext4 -b 16384', '-t ext4 -b 65536 -N 2048',
    '-t ext4 -O orphan_file,metadata_csum_seed', '-t ext4 -b 1024 -O orphan_file', '-t ext4 -O ^metadata_csum',
    '-t ext4 -O ^metadata_csum,uninit_bg', '-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit',
    '-t ext4 -b 1024 -O ^64bit', '-t ext4 -b 1024 -O ^flex_bg', '-t ext4 -b 1024 -O ^resize_inode',
    '-t ext4 -b 1024 -O meta_bg,^resize_inode', '-t ext4 -b 1024 -O meta_bg,^resize_inode,^flex_bg -g 512',
    '-t ext4 -b 1024 -O sparse_super2,^resize_inode', '-t ext4 -b 1024 -O ^sparse_super,^resize_inode -g 2048',
    '-t ext4 -b 1024 -g 1024', '-t ext4 -b 1024 -G 2 -g 1024', '-t ext4 -O ^has_journal', '-t ext4 -O ^extent,^64bit',
    '-t ext4 -O ^dir_index', '-t ext4 -O ^filetype', '-t ext4 -O ^huge_file,^extra_isize,^dir_nlink -I 128',
    '-t ext4 -b 1024 -I 1024', '-t ext4 -O large_dir', '-t ext4 -O bigalloc', '-t ext4 -b 1024 -O bigalloc -C 16384',
    '-t ext4 -b 1024 -E resize=4G', '-t ext4 -E lazy_itable_init=1,lazy_journal_init=1', '-t ext4 -O quota',
    '-t ext4 -O fast_commit', '-t ext4 -E packed_meta_blocks=1', '-t ext4 -i 1024', '-t ext4 -E stride=16,stripe-width=64',
    '-t ext3', '-t ext3 -b 1024', '-t ext3 -I 128', '-t ext2', '-t ext2 -b 1024', '-t ext2 -b 2048 -O ^resize_inode',
    '-t ext2 -r 0 -O none', '-t ext2 -O ext_attr,dir_index -I 256',
]


def run(args, **kw):
    return subprocess.run(args, capture_output=True, text=True, errors='replace', **kw)


class Bench:
    """A folder, the two judges, and images made once."""

    def __init__(self, check_image):
        self.check_image = os.path.abspath(check_image)
        self.dir = tempfile.mkdtemp(prefix='extant-check-')
        self.path = os.path.join(self.dir, 'image')
        self.made = {}
        for name, text in (('plain', 'plain'), ('value', '7' * 300), ('long', 'l' * 3000)):
            with open(os.path.join(self.dir, name), 'w') as f:
                f.write(text)
        with open(os.path.join(self.dir, 'sparse'), 'wb') as f:
            for i in range(0, 700, 3):
                f.seek(i * 4096)
                f.write(b'x')

    def close(self):
        shutil.rmtree(self.dir)

    def script(self, names):
        lines = ['write plain plain', 'write long long', 'write sparse sparse', 'write plain attr', 'ln plain hard',
                 'sif plain links_count 2', 'ea_set attr user.small value', 'ea_set attr user.second other',
                 'ea_set -f value attr user.large', 'symlink link target', 'symlink far ' + 't' * 200, 'mknod pipe p',
                 'mknod char c 4 5', 'mknod block b 7 1', 'mkdir sub', 'mkdir sub/below', 'mkdir sub/below/deep', 'mkdir d', 'cd d']
        return '\n'.join(lines + [f'symlink name-of-some-length-{i} x' for i in range(names)]) + '\n'

    def make(self, options, size='24M', names=150):
        """The bytes of an image with things in it."""
        key = (options, size, names)
        if key not in self.made:
            if os.path.exists(self.path):
                os.unlink(self.path)
            made = run(['mke2fs', '-q', '-F', *options.split(), self.path, size], cwd=self.dir)
            if made.returncode:
                raise RuntimeError(f'mke2fs {options}: {made.stderr}')
            run(['debugfs', '-w', '-f', '-', self.path], cwd=self.dir, input=self.script(names))
            run(['e2fsck', '-fyD', self.path])
            with open(self.path, 'rb') as f:
                self.made[key] = f.read()
        return self.made[key]

    def judge(self, data):
        """(e2fsck's exit status and text, ours and its text)."""
        with open(self.path, 'wb') as f:
            f.write(data)
        e, c = run(['e2fsck', '-fn', self.path]), run([self.check_image, self.path])
        return e.returncode, e.stdout, c.returncode, c.stdout + c.stderr


def said(status, text):
    """Whether e2fsck found something; it asks about some things without counting them."""
    return bool(status & 12) or '? no' in text


def show(title, e, etext, c, ctext):
    print(f'{title}: e2fsck {e}, check {c}')
    print('   e2fsck: ' + ' | '.join(line for line in etext.splitlines() if '?' in line or 'rror' in line)[:600])
    print('   check:  ' + ' | '.join(ctext.splitlines())[:600])


def clean(bench, _):
    failed = 0
    for options in CLEAN:
        e, etext, c, ctext = bench.judge(bench.make(options, '48M' if '65536' not in options else '128M'))
        if e or c:
            failed += 1
            show(options, e, etext, c, ctext)
        bench.made.clear()
    return len(CLEAN), failed


# ---- damage: each case is a function of the image that changes one thing

DEFAULT, SMALL, OLD, MAPPED = ('-t ext4 -O orphan_file -N 1024', '-t ext4 -b 1024 -N 1024',
                               '-t ext4 -b 1024 -N 1024 -O ^metadata_csum', '-t ext3 -b 1024 -N 1024')
CASES = []
# What e2fsck -n passes over, or mends without a word.
OURS_ALONE = {'super last orphan', 'inode value flag of long', 'extent node depth', 'super copy', 'descriptor copy',
              'attribute block hash of all'}


def case(*options):
    def add(fn):
        for o in options or (SMALL,):
            CASES.append((fn.__name__, o, fn))
        return fn
    return add


def super_case(name, at, size, change, options=SMALL):
    def fn(img):
        img.put(SUPER + at, size, change(img.get(SUPER + at, size)))
        img.seal_super()
    CASES.append((f'super {name}', options, fn))


def desc_case(name, at, size, change, group=1, options=SMALL):
    def fn(img):
        d = img.desc(group) + at
        img.put(d, size, change(img.get(d, size)))
        img.seal_desc(group)
    CASES.append((f'descriptor {name}', options, fn))


def ino_of(img, name):
    ino = 2
    for part in name.split('/'):
        at, _ = img.lookup(ino, part)
        ino = img.get(at, 4)
    return ino


def inode_case(name, path, at, size, change, options=SMALL):
    def fn(img):
        ino = ino_of(img, path) if isinstance(path, str) else path
        img.put(img.inode(ino) + at, size, change(img.get(img.inode(ino) + at, size)))
        img.seal_inode(ino)
    CASES.append((f'inode {name} of {path}', options, fn))


def more(n):
    return lambda x: x + n


def to(n):
    return lambda x: n


super_case('free blocks', 0xC, 4, more(1))
super_case('free inodes', 0x10, 4, more(-1))
super_case('blocks count', 0x4, 4, more(100000))
super_case('inodes count', 0x0, 4, more(8))
super_case('inodes per group', 0x28, 4, more(8))
super_case('blocks per group', 0x20, 4, to(0))
super_case('first data block', 0x14, 4, to(7))
super_case('log block size', 0x18, 4, to(9))
super_case('inode size', 0x58, 2, to(100))
super_case('desc size', 0xFE, 2, to(48))
super_case('first inode', 0x54, 4, to(5))
super_case('journal inode', 0xE0, 4, to(0xFFFFFF))
super_case('journal is the root', 0xE0, 4, to(2))
super_case('last orphan', 0xE8, 4, to(0xFFFFFF))
super_case('uninit_bg beside metadata_csum', 0x64, 4, lambda x: x | 0x10)
super_case('seed without sums', 0x60, 4, lambda x: x | 0x2000, OLD)
super_case('needs_recovery without journal', 0x60, 4, lambda x: x | 4, '-t ext2 -b 1024 -N 1024')
super_case('orphan_present alone', 0x64, 4, lambda x: x | 0x10000)



def copy_case(name, at, group, seal):
    def fn(img):
        img.b[img.block(img.first_data + group * img.bpg) + at] ^= 1
        seal(img)
    CASES.append((name, SMALL, fn))


copy_case('super copy', 0x20, 1, lambda i: None)
copy_case('descriptor copy', 1024, 1, lambda i: None)

desc_case('free blocks', 0xC, 2, more(1))
desc_case('free inodes', 0xE, 2, more(-1))
desc_case('directories', 0x10, 2, more(1))
desc_case('block bitmap', 0x0, 4, to(0))
desc_case('block bitmap far', 0x0, 4, more(1000000))
desc_case('block bitmap moved', 0x0, 4, more(1))
desc_case('inode bitmap moved', 0x4, 4, more(1))
desc_case('inode table moved', 0x8, 4, more(1), 0)
desc_case('inode table on the superblock', 0x8, 4, to(1), 0)
desc_case('two tables in one place', 0x8, 4, lambda x: x - 64 if x > 64 else x + 64, 0)
desc_case('itable unused', 0x1C, 2, to(500), 0)
desc_case('inodes never used', 0x12, 2, lambda x: x | 1, 0)
desc_case('blocks never used', 0x12, 2, lambda x: x | 2, 0)

inode_case('links', 'plain', 0x1A, 2, more(1))
inode_case('links', 'plain', 0x1A, 2, to(1))
inode_case('links', 'sub', 0x1A, 2, more(1))
inode_case('links 0', 'long', 0x1A, 2, to(0))
inode_case('mode without type', 'long', 0x0, 2, to(0o644))
inode_case('mode of a directory', 'long', 0x0, 2, to(0o40755))
inode_case('mode of a file', 'sub', 0x0, 2, to(0o100644))
inode_case('mode of a fifo', 'link', 0x0, 2, to(0o10644))
inode_case('size', 'long', 0x4, 4, to(100))
inode_case('size high', 'long', 0x6C, 4, to(0x80000000))
inode_case('size', 'sub', 0x4, 4, more(1024))
inode_case('size odd', 'sub', 0x4, 4, more(100))
inode_case('size high', 'sub', 0x6C, 4, to(1))
inode_case('size', 'link', 0x4, 4, more(1))
inode_case('size', 'far', 0x4, 4, more(1))
inode_case('size', 'pipe', 0x4, 4, to(5))
inode_case('blocks', 'long', 0x1C, 4, more(2))
inode_case('blocks', 'link', 0x1C, 4, more(2))
inode_case('blocks', 'sparse', 0x1C, 4, more(-2), MAPPED)
inode_case('deletion time', 'long', 0x14, 4, to(1700000000))
inode_case('extents flag off', 'long', 0x20, 4, lambda x: x & ~EXTENTS_FL)
inode_case('extents flag on', 'long', 0x20, 4, lambda x: x | EXTENTS_FL, MAPPED)
inode_case('index flag', 'long', 0x20, 4, lambda x: x | INDEX_FL)
inode_case('index flag', 'sub', 0x20, 4, lambda x: x | INDEX_FL)
inode_case('immutable', 'link', 0x20, 4, lambda x: x | 0x10)
inode_case('inline data', 'long', 0x20, 4, lambda x: x | 0x10000000)
inode_case('value flag', 'long', 0x20, 4, lambda x: x | 0x200000)
inode_case('attribute block', 'long', 0x68, 4, to(0xFFFFFFF))
inode_case('attribute block on the superblock', 'long', 0x68, 4, to(1))
inode_case('attribute block of no attributes', 'long', 0x68, 4, to(6000))
inode_case('attribute block 0', 'attr', 0x68, 4, to(0))
inode_case('fragment', 'long', 0x70, 4, to(1))
inode_case('extra size', 'long', 0x80, 2, to(200))
inode_case('extra size odd', 'long', 0x80, 2, to(33))
inode_case('target', 'link', 0x28, 1, to(0))
inode_case('extent magic', 'long', 0x28, 2, to(0))
inode_case('extent max', 'long', 0x2C, 2, to(9))
inode_case('extent entries', 'long', 0x2A, 2, to(5))
inode_case('extent depth', 'long', 0x2E, 2, to(1))
inode_case('extent depth too deep', 'long', 0x2E, 2, to(9))
inode_case('extent block', 'long', 0x34, 4, more(1))
inode_case('extent length 0', 'long', 0x38, 2, to(0))
inode_case('extent length', 'long', 0x38, 2, to(20000))
inode_case('extent start', 'long', 0x3C, 4, to(0))
inode_case('extent start on the table', 'long', 0x3C, 4, to(40))
inode_case('extent start elsewhere', 'long', 0x3C, 4, more(2000))
inode_case('extent start high', 'long', 0x3A, 2, to(1))
inode_case('pointer', 'long', 0x28, 4, to(0xFFFFFFF), MAPPED)
inode_case('pointer on the superblock', 'long', 0x28, 4, to(1), MAPPED)
inode_case('pointer elsewhere', 'long', 0x28, 4, more(3000), MAPPED)
inode_case('pointer 0', 'long', 0x28, 4, to(0), MAPPED)
inode_case('indirect block', 'sparse', 0x58, 4, to(0xFFFFFFF), MAPPED)
inode_case('indirect block', 'sparse', 0x58, 4, more(2), MAPPED)
inode_case('root is a file', 2, 0x0, 2, to(0o100755))
inode_case('root links', 2, 0x1A, 2, more(1))
inode_case('root without links', 2, 0x1A, 2, to(0))
inode_case('journal mode', 8, 0x0, 2, to(0o40755))
inode_case('journal without extents', 8, 0x2A, 2, to(0))
inode_case('journal links', 8, 0x1A, 2, to(0))
inode_case('resize pointer', 7, 0x5C, 4, to(0))
inode_case('resize pointer elsewhere', 7, 0x5C, 4, more(3))
inode_case('bad blocks', 1, 0x28, 4, to(0xFFFFFFF))
inode_case('reserved number used', 9, 0x0, 2, to(0o100644))


@case(SMALL, OLD)
def block_marked_free(img):
    blk = img.data(ino_of(img, 'long'))[0]
    group, bit = divmod(blk - img.first_data, img.bpg)
    at = img.block(img.block_bitmap(group))
    img.b[at + bit // 8] &= ~(1 << bit % 8) & 0xFF
    img.seal_bitmaps(group)


@case(SMALL, OLD)
def block_marked_used(img):
    group = next(g for g in range(img.groups) if not img.get(img.desc(g) + 0x12, 2) & 2)
    at = img.block(img.block_bitmap(group))
    bit = next(i for i in range(img.bpg) if not img.b[at + i // 8] >> i % 8 & 1)
    img.b[at + bit // 8] |= 1 << bit % 8
    img.seal_bitmaps(group)


@case()
def block_bitmap_padding(img):
    at = img.block(img.block_bitmap(img.groups - 1))
    img.b[at + img.bs - 1] &= 0x7F
    img.seal_bitmaps(img.groups - 1)


@case()
def inode_bitmap_padding(img):
    at = img.block(img.inode_bitmap(0))
    img.b[at + img.bs - 1] &= 0x7F
    img.seal_bitmaps(0)


@case(SMALL, OLD)
def inode_marked_free(img):
    ino = ino_of(img, 'sub')
    at = img.block(img.inode_bitmap((ino - 1) // img.ipg)) + (ino - 1) % img.ipg // 8
    img.b[at] &= ~(1 << (ino - 1) % 8) & 0xFF
    img.seal_bitmaps((ino - 1) // img.ipg)


@case(SMALL, OLD)
def inode_marked_used(img):
    group = next(g for g in range(img.groups) if not img.get(img.desc(g) + 0x12, 2) & 1 or not img.csum)
    img.b[img.block(img.inode_bitmap(group)) + (img.ipg - 1) // 8] |= 0x80
    img.seal_bitmaps(group)


@case()
def reserved_inode_marked_free(img):
    img.b[img.block(img.inode_bitmap(0))] &= 0x7F
    img.seal_bitmaps(0)


# Checksums alone.

def sum_case(name, where, options=SMALL):
    def fn(img):
        img.b[where(img)] ^= 1
    CASES.append((f'checksum of {name}', options, fn))


sum_case('superblock', lambda i: SUPER + 0x3FC)
sum_case('descriptor', lambda i: i.desc(0) + 0x1E)
sum_case('block bitmap', lambda i: i.desc(0) + 0x18)
sum_case('inode', lambda i: i.inode(ino_of(i, 'long')) + 0x7C)
sum_case('inode, high', lambda i: i.inode(ino_of(i, 'long')) + 0x82)
sum_case('inode data', lambda i: i.inode(ino_of(i, 'long')) + 0xF0)
sum_case('extent node', lambda i: i.block([n for n in i.nodes(ino_of(i, 'sparse'))][1][1] + 1) - 4)
sum_case('directory block', lambda i: i.block(i.data(2)[0] + 1) - 4)
sum_case('directory tail', lambda i: i.block(i.data(2)[0] + 1) - 5)
sum_case('hash tree root', lambda i: i.block(i.data(ino_of(i, 'd'))[0] + 1) - 4)
sum_case('attribute block', lambda i: i.block(i.acl(ino_of(i, 'attr'))) + 0x10)
sum_case('descriptor, crc16', lambda i: i.desc(0) + 0x1E, '-t ext4 -b 1024 -N 1024 -O ^metadata_csum,uninit_bg')
sum_case('orphan block', lambda i: i.block(i.data(i.get(SUPER + 0x280, 4))[0] + 1) - 1, DEFAULT)


# Extent nodes.

def node_case(name, at, size, change):
    def fn(img):
        ino = ino_of(img, 'sparse')
        blk = [n for n in img.nodes(ino)][1][1]
        img.put(img.block(blk) + at, size, change(img.get(img.block(blk) + at, size)))
        img.seal_node(ino, blk)
    CASES.append((f'extent node {name}', SMALL, fn))


node_case('magic', 0, 2, to(0))
node_case('entries', 2, 2, more(1))
node_case('entries 0', 2, 2, to(0))
node_case('max', 4, 2, to(9999))
node_case('depth', 6, 2, to(1))
node_case('first block', 12, 4, more(1))
node_case('second block', 24, 4, to(0))
node_case('length', 16, 2, more(50))
node_case('start', 20, 4, to(0xFFFFFFF))
node_case('start twice', 32, 4, to(2000))


@case()
def extent_index_twice(img):
    root = img.inode(ino_of(img, 'sparse')) + 0x28
    img.put(root + 12 + 12 + 4, 4, img.get(root + 12 + 4, 4))
    img.seal_inode(ino_of(img, 'sparse'))


@case()
def extent_index_first_block(img):
    root = img.inode(ino_of(img, 'sparse')) + 0x28
    img.put(root + 12 + 12, 4, img.get(root + 12 + 12, 4) + 1)
    img.seal_inode(ino_of(img, 'sparse'))


# Names.

def entry_case(name, path, change, *options):
    def fn(img):
        parent, leaf = path.rsplit('/', 1) if '/' in path else ('', path)
        directory = ino_of(img, parent) if parent else 2
        at, blk = img.lookup(directory, leaf)
        change(img, at)
        img.seal_dir(directory, blk)
    for o in options or (SMALL,):
        CASES.append((f'entry {name} of {path}', o, fn))


entry_case('inode', 'plain', lambda i, a: i.put(a, 4, 0xFFFFFF))
entry_case('inode unused', 'plain', lambda i, a: i.put(a, 4, 900))
entry_case('inode reserved', 'plain', lambda i, a: i.put(a, 4, 8))
entry_case('inode of another', 'plain', lambda i, a: i.put(a, 4, ino_of(i, 'long')))
entry_case('inode of a directory', 'plain', lambda i, a: i.put(a, 4, ino_of(i, 'sub')))
entry_case('gone', 'long', lambda i, a: i.put(a, 4, 0))
entry_case('gone', 'sub', lambda i, a: i.put(a, 4, 0))
entry_case('gone', 'sub/below', lambda i, a: i.put(a, 4, 0))
entry_case('root', 'sub/below', lambda i, a: i.put(a, 4, 2))
entry_case('loop', 'sub', lambda i, a: i.put(a, 4, ino_of(i, 'sub/below')))
entry_case('type', 'plain', lambda i, a: i.put(a + 7, 1, 2), SMALL, OLD)
entry_case('type unknown', 'plain', lambda i, a: i.put(a + 7, 1, 9))
entry_case('length', 'plain', lambda i, a: i.put(a + 4, 2, 0))
entry_case('length odd', 'plain', lambda i, a: i.put(a + 4, 2, 17))
entry_case('length far', 'plain', lambda i, a: i.put(a + 4, 2, 5000), SMALL, OLD)
entry_case('name length', 'plain', lambda i, a: i.put(a + 6, 1, 200))
entry_case('name length 0', 'plain', lambda i, a: i.put(a + 6, 1, 0))
entry_case('slash', 'plain', lambda i, a: i.put(a + 9, 1, ord('/')))
entry_case('zero byte', 'plain', lambda i, a: i.put(a + 9, 1, 0))
entry_case('twice', 'plain', lambda i, a: i.b.__setitem__(slice(a + 8, a + 13), b'attr\0') or i.put(a + 6, 1, 4))
entry_case('dot', 'hard', lambda i, a: i.b.__setitem__(slice(a + 8, a + 12), b'.\0\0\0') or i.put(a + 6, 1, 1))


def dots_case(name, path, offset, size, value):
    def fn(img):
        ino = ino_of(img, path)
        blk = img.data(ino)[0]
        img.put(img.block(blk) + offset, size, value(img) if callable(value) else value)
        img.seal_dir(ino, blk)
    CASES.append((f'{name} of {path}', SMALL, fn))


dots_case('. inode', 'sub', 0, 4, 2)
dots_case('. name', 'sub', 8, 1, ord('x'))
dots_case('. length', 'sub', 4, 2, 16)
dots_case('.. inode', 'sub', 12, 4, lambda i: ino_of(i, 'd'))
dots_case('.. inode 0', 'sub', 12, 4, 0)
dots_case('.. name', 'sub', 20, 2, 0x2E78)
dots_case('.. of a hash tree', 'd', 12, 4, lambda i: ino_of(i, 'sub'))


@case()
def directory_block_zeroed(img):
    ino = ino_of(img, 'sub')
    at = img.block(img.data(ino)[0])
    img.b[at:at + img.bs] = bytes(img.bs)


# Hash trees.

def dx_case(name, at, size, change, options=SMALL):
    def fn(img):
        ino = ino_of(img, 'd')
        blk = img.data(ino)[0]
        img.put(img.block(blk) + at, size, change(img.get(img.block(blk) + at, size)))
        img.seal_dir(ino, blk)
    CASES.append((f'hash tree {name}', options, fn))


dx_case('hash version', 0x1C, 1, to(9))
dx_case('hash version other', 0x1C, 1, to(2))
dx_case('info length', 0x1D, 1, to(7))
dx_case('levels', 0x1E, 1, to(1))
dx_case('levels too many', 0x1E, 1, to(5))
dx_case('flags', 0x1F, 1, to(1))
dx_case('limit', 0x20, 2, more(-1))
dx_case('count', 0x22, 2, more(-1))
dx_case('count 0', 0x22, 2, to(0))
dx_case('first block', 0x24, 4, to(2))
dx_case('first block far', 0x24, 4, to(99999))
dx_case('second block', 0x2C, 4, to(1))
dx_case('hash', 0x28, 4, more(0x10000000))
dx_case('hash order', 0x30, 4, to(2))
dx_case('count', 0x22, 2, more(-1), OLD)


# Attributes.

def xattr_case(name, at, size, change):
    def fn(img):
        blk = img.acl(ino_of(img, 'attr'))
        img.put(img.block(blk) + at, size, change(img.get(img.block(blk) + at, size)))
        img.seal_xattr(blk)
    CASES.append((f'attribute block {name}', SMALL, fn))


xattr_case('magic', 0, 4, to(0))
xattr_case('references', 4, 4, to(2))
xattr_case('references 0', 4, 4, to(0))
xattr_case('blocks', 8, 4, to(2))
xattr_case('name length', 0x20, 1, to(250))
xattr_case('value offset', 0x22, 2, to(4000))
xattr_case('value inode', 0x24, 4, to(12))
xattr_case('value size', 0x28, 4, to(5000))
xattr_case('hash', 0x2C, 4, more(1))
xattr_case('hash of all', 0xC, 4, more(1))


def ibody_case(name, at, size, change):
    def fn(img):
        ino = ino_of(img, 'attr')
        base = img.inode(ino) + 128 + img.get(img.inode(ino) + 0x80, 2) + 4
        img.put(base + at, size, change(img.get(base + at, size)))
        img.seal_inode(ino)
    CASES.append((f'attribute in inode {name}', SMALL, fn))


ibody_case('name length', 0, 1, to(200))
ibody_case('value offset', 2, 2, to(900))
ibody_case('value size', 8, 4, to(500))
ibody_case('hash', 12, 4, more(1))


# The journal, the orphan file, inode 7's blocks.

def journal_case(name, at, change):
    def fn(img):
        sb = img.block(img.data(8)[0])
        img.put_be(sb + at, change(img.be(sb + at)))
        img.seal_journal(sb)
    CASES.append((f'journal {name}', SMALL, fn))


journal_case('magic', 0x0, to(0))
journal_case('type', 0x4, to(1))
journal_case('block size', 0xC, to(2048))
journal_case('length', 0x10, more(5000))
journal_case('start', 0x1C, to(5))
journal_case('features', 0x28, to(0x8000))


@case()
def journal_checksum(img):
    sb = img.block(img.data(8)[0])
    img.put_be(sb + 0x28, 0x10)
    img.b[sb + 0x50] = 4
    img.seal_journal(sb)
    img.b[sb + 0xFC] ^= 1


@case(DEFAULT)
def orphan_file_magic(img):
    ino = img.get(SUPER + 0x280, 4)
    blk = img.data(ino)[0]
    img.put(img.block(blk + 1) - 8, 4, 5)
    img.seal_orphans(ino, blk)


@case(DEFAULT)
def orphan_file_not_empty(img):
    ino = img.get(SUPER + 0x280, 4)
    blk = img.data(ino)[0]
    img.put(img.block(blk), 4, 14)
    img.seal_orphans(ino, blk)


@case(DEFAULT)
def orphan_file_gone(img):
    img.put(SUPER + 0x280, 4, 0)
    img.seal_super()


@case(MAPPED)
def indirect_pointer(img):
    blk = next(img.indirect(ino_of(img, 'sparse')))
    img.put(img.block(blk) + 8, 4, 0xFFFFFFF)


@case(MAPPED)
def indirect_pointer_shared(img):
    blk = next(img.indirect(ino_of(img, 'sparse')))
    img.put(img.block(blk) + 8, 4, img.data(2)[0])


@case()
def resize_inode_pointer(img):
    dind = img.get(img.inode(7) + 0x5C, 4)
    at = next(a for a in range(img.block(dind), img.block(dind + 1), 4) if img.get(a, 4))
    img.put(at, 4, img.get(at, 4) + 1)


@case()
def two_inodes_share_a_block(img):
    one, other = ino_of(img, 'long'), ino_of(img, 'plain')
    img.put(img.inode(other) + 0x3C, 4, img.get(img.inode(one) + 0x3C, 4))
    img.seal_inode(other)


def damage(bench, _):
    failed = 0
    for name, options, fn in CASES:
        img = Image(bench.make(options))
        before = bytes(img.b)
        fn(img)
        e, etext, c, ctext = bench.judge(img.b)
        if img.b == before:
            failed += 1
            print(f'{name} ({options}): changes nothing')
        elif not said(e, etext) ^ (name in OURS_ALONE) or c != 4:
            failed += 1
            show(f'{name} ({options})', e, etext, c, ctext)
    return len(CASES), failed


# ---- random fields

def random_super(img, rng):
    at, size = rng.choice([(0x0, 4), (0x4, 4), (0x8, 4), (0xC, 4), (0x10, 4), (0x14, 4), (0x18, 4), (0x20, 4), (0x24, 4),
                           (0x28, 4), (0x54, 4), (0x58, 2), (0xE0, 4), (0xE8, 4), (0xFE, 2), (0x174, 1)])
    img.put(SUPER + at, size, mutated(img.get(SUPER + at, size), size, rng))
    img.seal_super()
    return f'super 0x{at:x}'


def random_desc(img, rng):
    group = rng.randrange(img.groups)
    at, size = rng.choice([(0, 4), (4, 4), (8, 4), (0xC, 2), (0xE, 2), (0x10, 2), (0x12, 2), (0x1C, 2), (0x20, 4)])
    if at >= img.dsize:
        at, size = 0, 4
    d = img.desc(group) + at
    img.put(d, size, mutated(img.get(d, size), size, rng))
    img.seal_desc(group)
    return f'descriptor {group} 0x{at:x}'


def random_inode(img, rng):
    ino = rng.choice([i for i in img.live()])
    at, size = rng.choice([(0, 2), (4, 4), (0x14, 4), (0x1A, 2), (0x1C, 4), (0x20, 4), (0x68, 4), (0x6C, 4), (0x74, 2),
                           (0x80, 2)] + [(0x28 + 2 * i, 2) for i in range(30)])
    if at >= img.isize:
        at, size = 0, 2
    img.put(img.inode(ino) + at, size, mutated(img.get(img.inode(ino) + at, size), size, rng))
    img.seal_inode(ino)
    return f'inode {ino} 0x{at:x}'


def random_node(img, rng):
    ino = ino_of(img, 'sparse')
    if not img.flags(ino) & EXTENTS_FL:
        blk = rng.choice(list(img.indirect(ino)))
        at = img.block(blk) + 4 * rng.randrange(img.bs // 4)
        img.put(at, 4, mutated(img.get(at, 4), 4, rng))
        return f'pointers {blk}'
    blk = rng.choice([b for _, b in img.nodes(ino) if b] or [None])
    if blk is None:
        return random_inode(img, rng)
    at = rng.choice([0, 2, 4, 6, 12 + 2 * rng.randrange(6 * img.get(img.block(blk) + 2, 2))])
    img.put(img.block(blk) + at, 2, mutated(img.get(img.block(blk) + at, 2), 2, rng))
    img.seal_node(ino, blk)
    return f'extent node {blk} at {at}'


def random_dir(img, rng):
    ino = rng.choice([i for i in img.live() if img.type(i) == 4])
    blocks = img.data(ino)
    nodes = [b for b in blocks if img.is_dx(ino, b)]
    blk = rng.choice(nodes if nodes and rng.random() < 0.4 else blocks)
    dx = img.is_dx(ino, blk)
    if dx and rng.random() < 0.7:
        used = img.get(img.block(blk) + dx + 2, 2)
        at, size = rng.choice([(dx - 8 + i, 1) for i in range(8)] + [(dx + 4 * i, 4) for i in range(2 * used)])
        at += img.block(blk)
    else:
        entry = rng.choice(list(img.entries(blk)))
        field, size = rng.choice([(0, 4), (4, 2), (6, 1), (7, 1), (8, 1)])
        at = entry + field
    img.put(at, size, mutated(img.get(at, size), size, rng))
    img.seal_dir(ino, blk)
    return f'directory {ino} block {blk} at {at - img.block(blk)}'


def random_xattr(img, rng):
    ino = ino_of(img, 'attr')
    blk = img.acl(ino)
    if not blk:
        return random_inode(img, rng)
    at, size = rng.choice([(0, 4), (4, 4), (8, 4), (0x20, 1), (0x21, 1), (0x22, 2), (0x24, 4), (0x28, 4), (0x2C, 4), (0x30, 1)])
    img.put(img.block(blk) + at, size, mutated(img.get(img.block(blk) + at, size), size, rng))
    img.seal_xattr(blk)
    return f'attribute block at 0x{at:x}'


def random_inode_attribute(img, rng):
    ino = ino_of(img, 'attr')
    if img.isize == 128:
        return random_inode(img, rng)
    base = img.inode(ino) + 128 + img.get(img.inode(ino) + 0x80, 2)
    at, size = rng.choice([(0, 4), (4, 1), (5, 1), (6, 2), (8, 4), (12, 4), (16, 4), (20, 1)])
    img.put(base + at, size, mutated(img.get(base + at, size), size, rng))
    img.seal_inode(ino)
    return f'attribute in inode at 0x{at:x}'


def random_bitmap(img, rng):
    group = rng.randrange(img.groups)
    which, count = rng.choice([(img.block_bitmap, img.bpg), (img.inode_bitmap, img.ipg)])
    bit = rng.randrange(count)
    img.b[img.block(which(group)) + bit // 8] ^= 1 << bit % 8
    img.seal_bitmaps(group)
    return f'bitmap {group} bit {bit}'


def random_journal(img, rng):
    if not img.get(SUPER + 0xE0, 4):
        return random_super(img, rng)
    at = rng.choice([0x0, 0x4, 0xC, 0x10, 0x14, 0x1C, 0x28])
    sb = img.block(img.data(8)[0])
    img.put_be(sb + at, mutated(img.be(sb + at), 4, rng))
    img.seal_journal(sb)
    return f'journal 0x{at:x}'


def mutated(x, size, rng):
    bits = 8 * size
    return rng.choice([x + 1, x - 1, x ^ 1 << rng.randrange(bits), 0, (1 << bits) - 1, rng.getrandbits(bits), x + 8, x << 1,
                       rng.randrange(24000), rng.randrange(200)])


RANDOM = [random_super, random_desc, random_inode, random_inode, random_inode, random_node, random_node, random_dir, random_dir,
          random_dir, random_xattr, random_inode_attribute, random_bitmap, random_journal]
RANDOM_IMAGES = [SMALL, '-t ext4 -b 1024 -N 8192', OLD, MAPPED, DEFAULT, '-t ext4 -b 1024 -N 1024 -O ^metadata_csum,uninit_bg']


def random_cases(bench, args):
    failed = 0
    for n in range(args.cases):
        rng = random.Random(f'{args.seed} {n}')
        options = rng.choice(RANDOM_IMAGES)
        img = Image(bench.make(options, names=6000 if '8192' in options else 150))
        what = rng.choice(RANDOM)(img, rng)
        e, etext, c, ctext = bench.judge(img.b)
        if said(e, etext) == (c != 0) or excused(what, etext, ctext):
            continue
        failed += 1
        show(f'--seed {args.seed} case {n}: {what} ({options})', e, etext, c, ctext)
    return args.cases, failed


def excused(what, etext, ctext):
    """Found by ours alone: what e2fsck -n does not look at, or makes right without a word."""
    return not said(0, etext) and (what == 'super 0xe8' or re.search(
        'extent node: depth|^journal: |flag 0x200000|high half of i_blocks|'
        'inode 7: attribute block|name with a zero byte|has no kind|names are there twice|'
        '^block bitmap: group .* in use, but marked free', ctext, re.M))


# ---- what Linux leaves behind

KERNEL_IMAGES = ['-t ext4', '-t ext4 -O orphan_file', '-t ext4 -b 1024 -O ^metadata_csum', '-t ext4 -O ^extent,^64bit',
                 '-t ext4 -b 1024 -O orphan_file,metadata_csum_seed', '-t ext3']


def leave_orphans(mnt, image, copy):
    """20 files and a directory removed while open; then a copy of what the device has."""
    os.makedirs(os.path.join(mnt, 'd/e'))
    for i in range(300):
        with open(os.path.join(mnt, f'd/f{i}'), 'w') as f:
            f.write('x' * i)
    held = []
    for i in range(20):
        held.append(os.open(os.path.join(mnt, f'o{i}'), os.O_CREAT | os.O_WRONLY))
        os.write(held[-1], b'y' * 5000 * i)
    os.makedirs(os.path.join(mnt, 'gone'))
    held.append(os.open(os.path.join(mnt, 'gone'), os.O_RDONLY))
    os.sync()
    for i in range(20):
        os.unlink(os.path.join(mnt, f'o{i}'))
    os.rmdir(os.path.join(mnt, 'gone'))
    for i in range(0, 300, 3):
        os.unlink(os.path.join(mnt, f'd/f{i}'))
    os.sync()
    shutil.copy(image, copy)
    for fd in held:
        os.close(fd)


def crash_on_linux(bench, options):
    """The image that a crash leaves, its journal replayed; None where Linux cannot be asked."""
    image = os.path.join(bench.dir, 'crash')
    if os.path.exists(image):
        os.unlink(image)
    run(['mke2fs', '-q', '-F', *options.split(), image, '32M'])
    try:
        with loopmount.Mounted(image) as mnt:
            leave_orphans(mnt, image, bench.path)
    except loopmount.Failed:
        return None
    run(['debugfs', '-w', '-R', 'journal_run', bench.path])
    return bench.path


def kernel(bench, _):
    failed = 0
    loopmount.own_namespace()
    for options in KERNEL_IMAGES:
        if not crash_on_linux(bench, options):
            print('skipped: needs root and a loop device')
            sys.exit(77)
        c = run([bench.check_image, '--after-crash', bench.path])
        if c.returncode or ' 21 orphans' not in c.stdout:
            failed += 1
            print(f'{options}: {c.stdout}')
    return len(KERNEL_IMAGES), failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('check_image')
    parser.add_argument('mode', choices=['clean', 'damage', 'random', 'kernel'])
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--cases', type=int, default=150)
    args = parser.parse_args()
    os.environ['PATH'] += ':/sbin:/usr/sbin'
    os.environ['LC_ALL'] = 'C'
    missing = [t for t in TOOLS if not shutil.which(t)]
    if missing:
        print('skipped: needs ' + ', '.join(missing))
        return 77
    bench = Bench(args.check_image)
    try:
        done, failed = {'clean': clean, 'damage': damage, 'random': random_cases, 'kernel': kernel}[args.mode](bench, args)
    finally:
        bench.close()
    print(f'{done} cases, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
