# SPDX-License-Identifier: BSD-2-Clause
"""What a build with -Db_coverage=true has run so far: lines and branches, by folder of src/."""
import collections
import glob
import json
import os
import subprocess


def of_file(gcda):
    """{(file, line, branch or None): times}"""
    p = subprocess.run(['gcov', '--json-format', '--stdout', '-b', '-o', os.path.dirname(gcda), gcda], capture_output=True,
                       text=True, cwd=os.path.dirname(gcda))
    out = collections.Counter()
    for report in filter(None, p.stdout.splitlines()):
        for f in json.loads(report)['files']:
            for line in f['lines']:
                out[f['file'], line['line_number'], None] += line['count']
                for n, b in enumerate(line['branches']):
                    out[f['file'], line['line_number'], n] += b['count']
    return out


def of_build(build):
    """{folder: [lines run, lines, branches taken, branches]}"""
    times = collections.Counter()
    for gcda in glob.glob(os.path.join(build, 'libextant_core.a.p', '*.gcda')):
        for k, n in of_file(os.path.abspath(gcda)).items():
            times[k] += n
    folders = collections.defaultdict(lambda: [0, 0, 0, 0])
    for (name, _, branch), n in times.items():
        folder = name.split('src/')[-1].split('/')[0]
        at = 0 if branch is None else 2
        folders[folder][at] += n > 0
        folders[folder][at + 1] += 1
    return folders


def forget(build):
    for gcda in glob.glob(os.path.join(build, '**', '*.gcda'), recursive=True):
        os.unlink(gcda)


def say(build):
    for folder, (run, lines, taken, branches) in sorted(of_build(build).items()):
        print(f'src/{folder}: {run} of {lines} lines, {taken} of {branches} branches ({100 * taken // max(branches, 1)} %)')
