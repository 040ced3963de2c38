# SPDX-License-Identifier: BSD-2-Clause
"""Where the journal of an image lies, for `sweep --journal`."""
import re
import subprocess


def journal_option(image):
    """--journal BLOCKSIZE:FIRST-LAST,..., or nothing when debugfs is missing."""
    def ask(what):
        return subprocess.run(['debugfs', '-R', what, image], capture_output=True, text=True).stdout
    try:
        blocks = [int(x) for x in ask('blocks <8>').split()]
        size = re.search(r'Block size: +(\d+)', ask('stats -h')).group(1)
    except (FileNotFoundError, AttributeError):
        return []
    pieces = []
    for b in blocks:
        if pieces and pieces[-1][1] == b - 1:
            pieces[-1][1] = b
        else:
            pieces.append([b, b])
    return ['--journal', size + ':' + ','.join(f'{a}-{b}' for a, b in pieces)] if pieces else []
