#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Short scripts that once went wrong: the results that Linux gave, and an image that e2fsck finds clean.

    regress.py EXTANT [NAME...]                what extant makes of regress/NAME.wl; needs no root
    regress.py EXTANT --record [NAME...]       asks this machine's kernel and writes regress/NAME.jsonl (root)

`%kind NAME` in a script names an image kind of sides.KINDS, `%mount OPTIONS` its mount options.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

import compare
import sides
from sides import Died

HERE = os.path.join(sides.HERE, 'regress')


def directives(path):
    with open(path) as f:
        return dict(l[1:].strip().split(' ', 1) for l in f if l.startswith('%'))


class Regression:
    def __init__(self, name, folder):
        self.name = name
        self.script = os.path.join(HERE, name + '.wl')
        self.recorded = os.path.join(HERE, name + '.jsonl')
        d = directives(self.script)
        self.kind = next(k for k in sides.KINDS if k.name == d.get('kind', 'default'))
        self.options = d.get('mount', self.kind.options())
        self.image = os.path.join(folder, name + '.img')
        self.results = os.path.join(folder, name + '.jsonl')

    def run(self, side):
        self.kind.make(self.image, 0)
        side.run(self.image, self.script, self.results, self.options)
        return [{k: v for k, v in r.items() if k != 'times'} for r in sides.load(self.results)]


def check(case, extant):
    wrong = []
    found = case.run(extant)
    with open(case.recorded) as f:
        recorded = [json.loads(l) for l in f]
    for x, y in compare.strict(recorded, found):
        wrong.append(compare.say(x, y))
    f = sides.fsck(case.image)
    return wrong + ([f'  {f}'] if f else [])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('extant')
    a.add_argument('names', nargs='*')
    a.add_argument('--record', action='store_true')
    o = a.parse_args()
    for tool in ('mke2fs', 'e2fsck'):
        if not shutil.which(tool):
            print(f'skipped: no {tool}')
            return sides.SKIP
    if o.record:
        sides.enter_namespace()
    names = o.names or sorted(n[:-3] for n in os.listdir(HERE) if n.endswith('.wl'))
    bad = 0
    with tempfile.TemporaryDirectory(prefix='extant-regress-') as folder:
        side = sides.Kernel(folder) if o.record else sides.Extant(os.path.abspath(o.extant))
        for name in names:
            case = Regression(name, folder)
            if o.record:
                with open(case.recorded, 'w') as f:
                    f.writelines(json.dumps(r) + '\n' for r in case.run(side))
                continue
            try:
                wrong = check(case, side)
            except Died as e:
                wrong = [f'  {e}']
            if wrong:
                bad += 1
                print(f'FAILED {name} (repeat: {sys.argv[0]} {o.extant} {name})')
                print('\n'.join(wrong))
    print(f'{len(names)} scripts, {bad} failed')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
