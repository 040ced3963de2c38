#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random scripts on this machine's kernel and on extant: the same results, the same contents.

    random_scripts.py EXTANT [--count N] [--seed S] [--only SEED...] [--profile NAME] [--keep DIR]
                      [--branches BUILD] [-v]

For each seed: an image of some kind (sides.KINDS), some filled by Linux beforehand; a script
(genscript.py); then the script on a copy through Linux and on a copy through
`extant run -o dialect=6.18`. Equal must be
    results   of every operation: return value, errno, data (compare.py says what may differ and why)
    contents  names, modes, links, sizes, bytes: what Linux shows of both images
    e2fsck    -fn finds nothing on either
Seeds are drawn from --seed, by default the commit's hash: each commit is tested with scripts of its own.
--branches: EXTANT is of that build, made with -Db_coverage=true, and what it ran is printed.
A failure prints the seed and what repeats it. Without root or loop devices: exit 77.
"""
import argparse
import collections
import os
import random
import shutil
import subprocess
import sys
import tempfile

import branches
import compare
import genscript
import sides
from sides import KINDS, Died

def commit():
    p = subprocess.run(['git', '-C', sides.HERE, 'rev-parse', 'HEAD'], capture_output=True, text=True)
    return p.stdout.strip() or 'no commit'


def seeds(base, count):
    rnd = random.Random(f'seeds {base}')
    return [rnd.randrange(10 ** 9) for _ in range(count)]


# ---- one seed

class Case:
    def __init__(self, seed, folder, kind=None, profile=None):
        self.seed, self.wanted = seed, profile
        self.kind = kind or KINDS[seed % len(KINDS)]
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        self.script = os.path.join(folder, 'workload.wl')
        self.base = os.path.join(folder, 'base.img')

    def path(self, name):
        return os.path.join(self.dir, name)

    def prepare(self, kernel):
        self.kind.make(self.base, self.seed)
        there = ()
        if not self.kind.write or self.seed % 3 == 0:
            prelude, there = genscript.prelude(self.seed, self.kind.block)
            with open(self.script, 'w') as f:
                f.write(prelude)
            kernel.run(self.base, self.script, self.path('prelude.jsonl'), self.kind.options().replace(',ro', ''))
        gen = genscript.Script(self.seed, self.kind.profile or self.wanted, block=self.kind.block, disk=self.kind.bytes(), prepared=there,
                               mount_options=mount_lines(self.kind), maps=self.kind.name.startswith('block-maps'))
        with open(self.script, 'w') as f:
            f.write(gen.generate())
        self.profile = gen.profile

    def side(self, side):
        image, results = self.path(side.name + '.img'), self.path(side.name + '.jsonl')
        copy(self.base, image)
        side.run(image, self.script, results, self.kind.options())
        return image, sides.load(results)


def mount_lines(kind):
    """Options for mounts in the script: what the kind needs stays."""
    fits = [o for o in genscript.MOUNT_OPTIONS if kind.journal or not o.startswith(('data=', 'commit='))]
    fits = [o for o in fits if 'data=' not in kind.mount or not o.startswith(('data=', 'dioread', 'nodelalloc'))]
    return [','.join(filter(None, (kind.options(), o))) for o in fits]


def copy(a, b):
    if subprocess.run(['cp', '--sparse=always', a, b]).returncode:
        raise Died(f'cp {a}')


def tree_differences(a, b, comparison, block):
    """Of what Linux shows of both images; blocks may differ by those of extent trees."""
    out = []
    for path, key, x, y in sides.tree_differences(a, b):
        if key == 'ino' and 'renamed' in comparison.notes:
            continue
        if key == 'blocks' and abs(x - y) <= compare.TREE_BLOCKS * block // 512:
            comparison.notes['tree blocks'] += 1
            continue
        if key == 'ino':
            comparison.notes['renamed'] += 1
            continue
        out.append(f'{compare.short(path)}: {key} {x} {y}')
    return out


def most(lines, what, count=6):
    return lines[:count] + ([f'  ... {len(lines)} {what}'] if len(lines) > count else [])


def examine(case, kernel, extant):
    """All that is wrong, as lines; the comparison; the kernel's results for the statistics."""
    case.prepare(kernel)
    image_k, results_k = case.side(kernel)
    image_e, results_e = case.side(extant)
    c = compare.Comparison(results_k, results_e, case.kind.block, case.kind.journal)
    wrong = most([compare.say(x, y) for x, y in c.wrong], f'operations differ of {len(results_k)}')
    for who, image in (('linux', image_k), ('extant', image_e)):
        found = sides.fsck(image)
        if found and not (who == 'linux' and case.kind.name == 'no-filetype'):     # it sets the type of . and ..
            wrong.append(f'  {who}: {found}')
    if not c.stopped:
        d = tree_differences(sides.tree(image_k), sides.tree(image_e), c, case.kind.block)
        wrong += most([f'  contents: {line}' for line in d], 'differences of contents')
    return wrong, c, results_k


# ---- all

def statistics(results):
    ops, errnos = collections.Counter(), collections.Counter()
    for r in results:
        op = r['cmd'].split()[0]
        ops[op] += 1
        if r['ret'] == -1 and 'errno' in r:
            errnos[r['errno'] + ' ' + op] += 1
    return ops, errnos


def print_coverage(ops, errnos, notes):
    print('operations:', ', '.join(f'{o} {n}' for o, n in sorted(ops.items())))
    by = collections.defaultdict(list)
    for k, n in sorted(errnos.items()):
        e, op = k.split()
        by[e].append(f'{op} {n}')
    for e, l in sorted(by.items()):
        print(f'{e}:', ', '.join(l))
    print('let pass, see compare.py:', ', '.join(f'{k} {n}' for k, n in sorted(notes.items())) or 'nothing')


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('extant')
    a.add_argument('--count', type=int, default=10)
    a.add_argument('--seed', default=None)
    a.add_argument('--only', type=int, nargs='+')
    a.add_argument('--profile', choices=genscript.PROFILES, help='where the kind of image does not demand one')
    a.add_argument('--keep')
    a.add_argument('--branches')
    a.add_argument('-v', '--verbose', action='store_true')
    o = a.parse_args()
    sides.enter_namespace()
    base = o.seed or commit()
    work = os.path.abspath(o.keep) if o.keep else tempfile.mkdtemp(prefix='extant-random-')
    os.makedirs(work, exist_ok=True)
    kernel, extant = sides.Kernel(work), sides.Extant(os.path.abspath(o.extant))
    if o.branches:
        branches.forget(o.branches)
    ops, errnos, notes, bad = collections.Counter(), collections.Counter(), collections.Counter(), 0
    chosen = o.only or seeds(base, o.count)
    try:
        for seed in chosen:
            case = Case(seed, os.path.join(work, str(seed)), profile=o.profile)
            try:
                wrong, comparison, results = examine(case, kernel, extant)
                notes.update(set(comparison.notes))
            except (Died, subprocess.TimeoutExpired) as e:
                wrong, results = [f'  {e}'], []
            for total, part in zip((ops, errnos), statistics(results)):
                total.update(part)
            if wrong:
                bad += 1
                print(f'FAILED seed {seed} {case.kind.name} {getattr(case, "profile", "")} (repeat: {sys.argv[0]} {o.extant} --only {seed}{" --profile " + o.profile if o.profile else ""} --keep DIR)')
                print('\n'.join(wrong), flush=True)
            elif o.verbose:
                print(f'ok seed {seed} {case.kind.name} {case.profile} {len(results)} operations', flush=True)
            if not o.keep:
                shutil.rmtree(case.dir)
        print_coverage(ops, errnos, notes)
        if o.branches:
            branches.say(o.branches)
        print(f'{len(chosen)} scripts, {sum(ops.values())} operations, {bad} failed (seeds from {base})')
    finally:
        if not o.keep:
            shutil.rmtree(work, ignore_errors=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
