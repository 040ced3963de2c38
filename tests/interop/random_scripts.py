#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random scripts on this machine's kernel and on extant: the same results, the same contents.

    random_scripts.py EXTANT [--count N] [--seed S] [--only SEED...] [--keep DIR] [-v]

For each seed: an image of some kind (sides.KINDS, in turn), a script (genscript.py), then the script on
a copy through Linux and on a copy through `extant run -o dialect=6.18`. Equal must be
    results   of every operation: return value, errno, data; of fiemap all but where the blocks lie
    contents  names, modes, links, sizes, bytes: what Linux shows of both images
    e2fsck    -fn finds nothing on either
Seeds are drawn from --seed, by default the commit's hash: each commit is tested with scripts of its own.
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

import genscript
import sides
from sides import KINDS, Died

# What a result holds that depends on where blocks lie or on the clock.
VOLATILE = ('cmd', 'times')


def commit():
    p = subprocess.run(['git', '-C', sides.HERE, 'rev-parse', 'HEAD'], capture_output=True, text=True)
    return p.stdout.strip() or 'no commit'


def seeds(base, count):
    rnd = random.Random(f'seeds {base}')
    return [rnd.randrange(10 ** 9) for _ in range(count)]


# ---- comparing results

MOUNT_ROOT = 0x2000             # STATX_ATTR_*: says where it is mounted, not what it is
HOW_KNOWN = 0x800 | 0x1000 | 1  # FIEMAP_EXTENT_*: UNWRITTEN (for the time of its write-back, on Linux), MERGED, LAST
DELAYED = 2 | 4                 # UNKNOWN, DELALLOC


def merged(extents, lenient):
    """Without physical places: runs of one kind, however the blocks lie. Lenient: delayed or not is one kind."""
    out = []
    for logical, _, length, flags in sorted(extents):
        f = int(flags, 16) & ~HOW_KNOWN & ~(DELAYED if lenient else 0)
        if out and out[-1][2] == f and out[-1][0] + out[-1][1] == logical:
            out[-1][1] += length
        else:
            out.append([logical, length, f])
    return out


def plain(r, lenient=False):
    r = {k: v for k, v in r.items() if k not in VOLATILE}
    if 'extents' in r:
        r['extents'] = merged(r['extents'], lenient)
    if 'attributes' in r:
        r['attributes'] = f'{int(r["attributes"], 16) & ~MOUNT_ROOT:x}'
    return r


def result_differences(a, b, lenient):
    out = []
    for x, y in zip(a, b):
        if plain(x, lenient) != plain(y, lenient):
            out.append((x, y))
    if len(a) != len(b):
        out.append(({'op': len(a), 'cmd': 'number of operations', 'ret': len(a)}, {'op': len(b), 'ret': len(b)}))
    return out


def say_difference(x, y):
    p, q = plain(x), plain(y)
    keys = [k for k in list(p) + [k for k in q if k not in p] if p.get(k) != q.get(k)]
    both = lambda d: ' '.join(f'{k}={sides.short(str(d.get(k)), 200)}' for k in keys)
    return f'  op {x["op"]}: {sides.short(x.get("cmd", ""), 150)}\n      linux:  {both(p)}\n      extant: {both(q)}'


# ---- one seed

class Case:
    def __init__(self, seed, folder, kind=None):
        self.seed = seed
        self.kind = kind or KINDS[seed % len(KINDS)]
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        self.script = os.path.join(folder, 'workload.wl')
        self.base = os.path.join(folder, 'base.img')

    def path(self, name):
        return os.path.join(self.dir, name)

    def prepare(self):
        self.kind.make(self.base, self.seed)
        gen = genscript.Script(self.seed, self.kind.profile, block=self.kind.block, disk=self.kind.bytes(),
                               mount_options=mount_lines(self.kind))
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


def examine(case, kernel, extant):
    """All that is wrong, as lines; and the kernel's results for the statistics."""
    case.prepare()
    wrong = []
    image_k, results_k = case.side(kernel)
    image_e, results_e = case.side(extant)
    differ = result_differences(results_k, results_e, case.profile == 'full')
    wrong += [say_difference(x, y) for x, y in differ[:6]]
    if len(differ) > 6:
        wrong.append(f'  ... {len(differ)} operations differ of {len(results_k)}')
    for who, image in (('linux', image_k), ('extant', image_e)):
        found = sides.fsck(image)
        if found:
            wrong.append(f'  {who}: {found}')
    d = sides.tree_differences(sides.tree(image_k), sides.tree(image_e), but=())
    wrong += [f'  contents: {line}' for line in d[:6]] + ([f'  ... {len(d)} differences of contents'] if len(d) > 6 else [])
    return wrong, results_k


# ---- all

def statistics(results):
    ops, errnos = collections.Counter(), collections.Counter()
    for r in results:
        op = r['cmd'].split()[0]
        ops[op] += 1
        if r['ret'] == -1 and 'errno' in r:
            errnos[r['errno'] + ' ' + op] += 1
    return ops, errnos


def print_coverage(ops, errnos):
    print('operations:', ', '.join(f'{o} {n}' for o, n in sorted(ops.items())))
    by = collections.defaultdict(list)
    for k, n in sorted(errnos.items()):
        e, op = k.split()
        by[e].append(f'{op} {n}')
    for e, l in sorted(by.items()):
        print(f'{e}:', ', '.join(l))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('extant')
    a.add_argument('--count', type=int, default=10)
    a.add_argument('--seed', default=None)
    a.add_argument('--only', type=int, nargs='+')
    a.add_argument('--keep')
    a.add_argument('-v', '--verbose', action='store_true')
    o = a.parse_args()
    sides.enter_namespace()
    base = o.seed or commit()
    work = os.path.abspath(o.keep) if o.keep else tempfile.mkdtemp(prefix='extant-random-')
    os.makedirs(work, exist_ok=True)
    kernel, extant = sides.Kernel(work), sides.Extant(os.path.abspath(o.extant))
    ops, errnos, bad = collections.Counter(), collections.Counter(), 0
    chosen = o.only or seeds(base, o.count)
    try:
        for seed in chosen:
            case = Case(seed, os.path.join(work, str(seed)))
            try:
                wrong, results = examine(case, kernel, extant)
            except (Died, subprocess.TimeoutExpired) as e:
                wrong, results = [f'  {e}'], []
            for total, part in zip((ops, errnos), statistics(results)):
                total.update(part)
            if wrong:
                bad += 1
                print(f'FAILED seed {seed} {case.kind.name} {getattr(case, "profile", "")} (repeat: {sys.argv[0]} {o.extant} --only {seed} --keep DIR)')
                print('\n'.join(wrong), flush=True)
            elif o.verbose:
                print(f'ok seed {seed} {case.kind.name} {case.profile} {len(results)} operations', flush=True)
            if not o.keep:
                shutil.rmtree(case.dir)
        print_coverage(ops, errnos)
        print(f'{len(chosen)} scripts, {sum(ops.values())} operations, {bad} failed (seeds from {base})')
    finally:
        if not o.keep:
            shutil.rmtree(work, ignore_errors=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
