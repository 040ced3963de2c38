#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The crash tests can fail: each deliberate fault (src/jbd2/mutant.h), built in, is found by them.

    mutants.py SWEEP-WITH-THE-FAULT FAULT [--all] [--keep DIR]
    mutants.py SWEEP none               without a fault, every script here passes

A fault has a script that leads to where it hurts; `sweep` must say that a state fails, or that a rule was
broken while the script ran, or stop at an assertion. It is not enough that the script does not run.
Files hold the letter that their names begin with (sweep --letters). Exit 77 without mke2fs.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from journal import journal_option

MKFS = ['-b', '1024', '-J', 'size=1', '-N', '200', '-m', '0', '-E', 'hash_seed=01020304-0506-0708-090a-0b0c0d0e0f10']
MOUNT = 'noinit_itable,commit=600'


def put(name, blocks, sync=True):
    """A file, full of the letter that its name begins with."""
    letter = name.split('/')[-1][0]
    return [f'open fd=1 /{name} O_CREAT|O_RDWR 0644', f'write fd=1 len={blocks * 1024} fill={letter}',
            *(['fsync fd=1'] if sync else []), 'close fd=1']


def some_files():
    """Files, made stable one by one."""
    lines = []
    for i in range(12):
        lines += put(f'a{i}', 3 + i) + put(f'b{i}', 2, sync=False)
    return lines


def reused_directory():
    """A directory of several blocks goes; a file takes all that is free, and what was the directory with it."""
    lines = ['mkdir /d 0755']
    for i in range(60):
        lines += [f'open fd=1 /d/f{i:03}{"x" * 150} O_CREAT|O_RDWR 0644', 'close fd=1']
    lines += ['syncfs']
    lines += [f'unlink /d/f{i:03}{"x" * 150}' for i in range(60)]
    lines += ['rmdir /d', 'syncfs']
    return lines + put('e', 8192) + put('g', 2)


def many_commits(count=150):
    """The log is gone through more than once; files grow and go, the same bitmaps and tables change each time."""
    lines = []
    for i in range(count):
        lines += put(f'a{i % 10}', 1 + i % 7)
        if i % 5 == 4:
            lines += [f'unlink /a{(i * 3) % 10}']
        if i % 10 == 9:
            lines += ['mkdir /d%d 0755' % i]
        if i % 30 == 29:
            lines += ['sleep 40000']
    return lines + ['syncfs']


def full_log():
    """The same without a pause: the log's room is won back while there are commits."""
    return [line for line in many_commits(220) if not line.startswith('sleep')]


def reused_data():
    """Blocks full of one file's letter become another's, which is not synced itself."""
    lines = put('a', 1000) + put('k', 2) + ['unlink /a', 'syncfs']
    for i in range(4):
        lines += put(f'b{i}', 120, sync=False) + put(f'k{i}', 1)
    return lines


def changed_meanwhile():
    """Journaled data fills the log; what one transaction committed is written in place while the next has changed it."""
    lines = []
    for i in range(40):
        lines += put(f'a{i % 6}', 100 + i % 50, sync=i % 2 == 0)
        if i % 7 == 6:
            lines += [f'unlink /a{i % 6}']
    return lines


def delayed_data():
    """One file is ordered, for a block that was cut in its middle, and has delayed data when the commit comes."""
    lines = []
    for i in range(4):
        lines += put(f'a{i}', 8) + [f'open fd=2 /a{i} O_RDWR', 'ftruncate fd=2 len=5000',
                                    'pwrite fd=2 off=65536 len=8192 fill=a', *put(f'k{i}', 1), 'close fd=2']
    return lines


# fault: (script, options of mount besides)
FAULTS = {
    'flush_left_out': (some_files, ''),
    'record_first': (some_files, ''),
    'revoke_forgotten': (reused_directory, ''),
    'tail_early': (many_commits, ''),
    'space_early': (full_log, ''),
    'ordered_late': (reused_data, 'nodelalloc'),
    'live_in_place': (changed_meanwhile, 'data=journal'),
    'credits_short': (some_files, ''),
    'commit_maps': (delayed_data, ''),
}


def sweep(program, fault, work):
    """Its exit status, and what it said."""
    script, more = FAULTS[fault]
    image, lines = os.path.join(work, 'image'), os.path.join(work, fault + '.wl')
    if not os.path.exists(image):
        subprocess.run(['mke2fs', '-q', '-F', '-t', 'ext4', *MKFS, image, '8M'], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    with open(lines, 'w') as f:
        f.write('\n'.join(script()) + '\n')
    p = subprocess.run([program, '--letters', '--random', '600', '--tears', '2', *journal_option(image), '-o', ','.join(filter(None, (MOUNT, more))),
                        image, lines], capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def found(status, said):
    return status == 1 and 'sweep: ' in said or status < 0 and 'assertion failed' in said


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('sweep')
    a.add_argument('fault', choices=['none', *FAULTS])
    a.add_argument('--keep')
    o = a.parse_args()
    os.environ['PATH'] += ':/sbin:/usr/sbin'
    if not shutil.which('mke2fs'):
        print('skipped: needs mke2fs')
        return 77
    work = o.keep or tempfile.mkdtemp(prefix='extant-mutants-')
    os.makedirs(work, exist_ok=True)
    bad = 0
    try:
        for fault in FAULTS if o.fault == 'none' else [o.fault]:
            status, said = sweep(o.sweep, fault, work)
            wrong = status != 0 if o.fault == 'none' else not found(status, said)
            bad += wrong
            lines = said.strip().splitlines()
            first = next((l for l in lines if l.startswith('sweep: ') or 'assertion' in l), lines[0] if lines else '')
            print(f'{o.fault}: {fault}: exit {status}:', '\n'.join(lines[-6:]) if wrong else first, flush=True)
    finally:
        if not o.keep:
            shutil.rmtree(work)
    if bad and o.fault != 'none':
        print('the fault was not found')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
