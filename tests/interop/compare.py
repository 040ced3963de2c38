# SPDX-License-Identifier: BSD-2-Clause
"""Results of the same script on Linux and on extant, held against each other.

Equal must be: return value, errno and all data of every operation. What depends on where blocks lie is
allowed to differ as far as that goes, and is counted (Comparison.notes), so that it is seen how often:

    renamed      inode numbers: equal once renamed. Where a new directory goes follows from how full the
                 groups are, and Linux 6.18 puts data elsewhere than 4.9 does, as whom extant allocates.
                 Without a journal they are not compared: Linux leaves a freed number alone for a while
                 that depends on the wall clock.
    tree blocks  stat's blocks and statfs's free blocks, by the few blocks of the extent tree that a file
                 in other pieces needs
    behind end   bytes of the last page behind the end of the file: what was stored there is gone with the next
                 write-back, and nothing says when that is
    delayed      fiemap: Linux has not yet written what extant has; or the other way round after
                 sync_file_range or fallocate, which on 6.18 write whole large folios
    full disk    a write that was cut short by a full disk at another place: what follows is another
                 script then and is not compared

Physical addresses, times, what a trim found to be trimmed, and flags of fiemap that tell of write-back under way count nowhere.
"""
import collections

VOLATILE = ('cmd', 'times', 'trimmed')
MOUNT_ROOT = 0x2000             # STATX_ATTR_*: says where it is mounted, not what it is
HOW_KNOWN = 0x800 | 0x1000 | 1  # FIEMAP_EXTENT_*: UNWRITTEN (for the time of its write-back, on Linux), MERGED, LAST
DELAYED = 2 | 4                 # UNKNOWN, DELALLOC
TREE_BLOCKS = 6                 # of one file, or of all while little is delayed
FREE_BLOCKS = 24


def short(text, most=90):
    return text if len(text) <= most else text[:most // 2] + f'...({len(text)})...' + text[-most // 3:]


def merged(extents, mask=0):
    """Without physical places: runs of one kind, however the blocks lie."""
    out = []
    for logical, _, length, flags in sorted(extents):
        f = int(flags, 16) & ~HOW_KNOWN & ~mask
        if out and out[-1][2] == f and out[-1][0] + out[-1][1] == logical:
            out[-1][1] += length
        else:
            out.append([logical, length, f])
    return out


def plain(r):
    r = {k: v for k, v in r.items() if k not in VOLATILE}
    if 'extents' in r:
        r['extents'] = merged(r['extents'])
    if 'attributes' in r:
        r['attributes'] = f'{int(r["attributes"], 16) & ~MOUNT_ROOT:x}'
    return r


def delayed_only_in(a, b):
    """Whether all that is delayed in b is delayed in a too."""
    def bytes_of(extents):
        out = []
        for start, length, flags in extents:
            if flags & DELAYED:
                out.append((start, start + length))
        return out
    outer = bytes_of(a)
    return all(any(s <= start and end <= e for s, e in outer) for start, end in bytes_of(b))


def say(x, y):
    p, q = plain(x), plain(y)
    keys = [k for k in list(p) + [k for k in q if k not in p] if p.get(k) != q.get(k)]
    both = lambda d: ' '.join(f'{k}={short(str(d.get(k)), 200)}' for k in keys)
    return f'  op {x["op"]}: {short(x.get("cmd", ""), 150)}\n      linux:  {both(p)}\n      extant: {both(q)}'


def strict(a, b):
    """Pairs of operations that differ at all."""
    out = [(x, y) for x, y in zip(a, b) if plain(x) != plain(y)]
    if len(a) != len(b):
        out.append(({'op': len(a), 'cmd': 'number of operations', 'ret': len(a)}, {'op': len(b), 'ret': len(b)}))
    return out


class Comparison:
    """Of two runs. wrong: pairs that differ; notes: what was let pass, by reason."""

    def __init__(self, linux, extant, block, inodes=True):
        self.block, self.inodes = block, inodes
        self.notes = collections.Counter()
        self.names = ({}, {})           # inode number -> number in order of appearance, on each side
        self.ranges_synced = False
        self.stopped = False
        self.wrong = []
        for x, y in zip(linux, extant):
            self.one(x, y)
            if self.stopped:
                return
        if len(linux) != len(extant):
            self.wrong += strict(linux, extant)[-1:]

    def one(self, x, y):
        self.ranges_synced |= x['cmd'].startswith(('sync_file_range', 'fallocate')) and x['ret'] == 0
        p, q = plain(x), plain(y)
        if p.pop('behind_end', None) and p.get('fnv') != q.get('fnv') and p['ret'] == q['ret']:
            self.notes['behind end'] += 1
            return
        same_name = self.name(p, q)
        if p == q:
            return
        if not same_name or not self.excused(x['cmd'], p, q):
            self.wrong.append((x, y))

    def name(self, p, q):
        """Whether both tell of the same inode, by whatever number."""
        if not self.inodes or 'ino' not in p or 'ino' not in q:
            return True
        a, b = (names.setdefault(r['ino'], len(names)) for names, r in zip(self.names, (p, q)))
        return a == b or p['ino'] == q['ino']

    def excused(self, cmd, p, q):
        if set(p) != set(q):
            return self.cut_short(cmd, p, q)
        keys = [k for k in p if p[k] != q[k]]
        reasons = [self.reason(cmd, k, p, q) for k in keys]
        if not all(reasons):
            return False
        self.notes.update(set(reasons))
        return True

    def reason(self, cmd, key, p, q):
        if key == 'ino':
            return 'renamed'
        if key == 'blocks' and 'mode' in p:
            return abs(p[key] - q[key]) <= TREE_BLOCKS * self.block // 512 and 'tree blocks'
        if key in ('bfree', 'bavail'):
            return abs(p[key] - q[key]) <= FREE_BLOCKS and 'tree blocks'
        if key == 'extents' and merged_again(p[key]) == merged_again(q[key]):
            return (self.ranges_synced or delayed_only_in(p[key], q[key])) and 'delayed'
        if key == 'ret':
            return self.cut_short(cmd, p, q) and 'full disk'
        return False

    def cut_short(self, cmd, p, q):
        """A write that met the end of the disk on one side or both: extant has written about as much."""
        words = cmd.split()
        if words[0] not in ('write', 'pwrite'):
            return False
        wanted = int(next(w for w in words if w.startswith('len='))[4:])
        cut = [r['ret'] < wanted and r.get('errno', 'ENOSPC') == 'ENOSPC' for r in (p, q)]
        got = [max(r['ret'], 0) for r in (p, q)]
        if not any(cut) or got[1] < 0.9 * got[0] - 16 * self.block:
            return False
        self.stopped = True
        self.notes['full disk'] += 1
        return True


def merged_again(extents):
    return merged([(start, 0, length, f'{flags:x}') for start, length, flags in extents], DELAYED)
