#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The events tell the truth: what they say was done is what the image shows.

    truth.py EXTANT [--golden DIR] [SCRIPT...]
    truth.py EXTANT --random N [--seed S] [--only SEED...]

For each script (recorded ones, or N drawn by tests/interop/genscript.py on images of every kind that is written to):
  blocks    each ext4_allocate_blocks takes what was free; the block bitmaps afterwards are those before, less these,
            plus every ext4_mballoc_free
  inodes    the same of the inode bitmaps, ext4_allocate_inode and ext4_free_inode
  log       blocks_logged of each jbd2_run_stats is what the log holds of that transaction, where it still does:
            descriptors and blocks; revokes and the commit block are not in it, as on Linux
  credits   no handle dirtied more blocks than it asked for, extensions and restarts included
Reads bitmaps with dumpe2fs, the journal by itself. Seeds are drawn from --seed, by default the commit's hash.
Exit 1 when something differs, 77 without e2fsprogs.
"""
import argparse, collections, os, re, shutil, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import genscript, random_scripts, sides

SCRIPTS = ("02-create-write-fsync", "04-write-shapes", "05-write-1mib", "06-append", "07-sync-kinds", "08-syncfs",
           "24-data-journal", "25-data-writeback")
PLAIN = sides.Kind("plain", mkfs="-b 4096 -J size=8")
MAGIC, DESCRIPTOR, COMMIT, REVOKE = 0xc03b3998, 1, 2, 5


def ask(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def numbers(text):
    out = set()
    for part in filter(None, (p.strip() for p in text.split(","))):
        a, _, b = part.partition("-")
        out.update(range(int(a), int(b or a) + 1))
    return out


class Geometry:
    def __init__(self, img):
        text = ask("dumpe2fs", "-h", img)
        value = lambda name: int(re.search(r"^%s: +(\d+)" % name, text, re.M).group(1))
        self.block, self.first, self.per_group = value("Block size"), value("First block"), value("Blocks per group")
        self.journal = "has_journal" in text


def free(img, what):
    """The free blocks or inodes, as the bitmaps have them."""
    out = set()
    for line in re.findall(r"^  Free %s: (.*)$" % what, ask("dumpe2fs", img), re.M):
        out |= numbers(line)
    return out


# ---- the log

class Log:
    """What a log still holds, whether replayed or not: a ring, gone through from each commit block."""

    def __init__(self, img, block_size):
        self.size = block_size
        # The file's bytes: a list of its blocks would hold those of its map too.
        log = subprocess.run(["debugfs", "-R", "cat <8>", img], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        self.blocks = [log[at:at + block_size] for at in range(0, len(log), block_size)]
        self.first, incompat = struct.unpack(">I", self.blocks[0][0x14:0x18])[0], struct.unpack(">I", self.blocks[0][0x28:0x2c])[0]
        self.v3 = incompat & 0x10
        self.tag_size = 16 if self.v3 else (12 if incompat & 2 else 8) + (2 if incompat & 8 else 0)

    def next(self, n):
        return n + 1 if n + 1 < len(self.blocks) else self.first

    def header(self, n):
        magic, kind, tid = struct.unpack(">III", self.blocks[n][:12])
        return (kind, tid) if magic == MAGIC else (0, 0)

    def tags(self, n):
        b, at, count = self.blocks[n], 12, 0
        while at + self.tag_size <= self.size:
            flags = struct.unpack(">I", b[at + 4:at + 8])[0] if self.v3 else struct.unpack(">H", b[at + 6:at + 8])[0]
            at, count = at + self.tag_size + (0 if flags & 2 else 16), count + 1
            if flags & 8:
                break
        return count

    def length(self, n):
        """(tid, blocks) of the transaction that begins at n; or nothing."""
        tid, count, steps = self.header(n)[1], 0, 0
        while steps < len(self.blocks):
            kind, of = self.header(n)
            if of != tid or kind not in (DESCRIPTOR, REVOKE, COMMIT):
                return None
            if kind == COMMIT:
                return (tid, count) if steps else None
            step = 1 + (self.tags(n) if kind == DESCRIPTOR else 0)
            count += step if kind == DESCRIPTOR else 0
            steps += step
            for _ in range(step):
                n = self.next(n)
        return None

    def transactions(self):
        starts = [self.first] + [self.next(n) for n in range(self.first, len(self.blocks)) if self.header(n)[0] == COMMIT]
        return dict(t for t in map(self.length, starts) if t)


# ---- the events

class Told:
    """Goes through a trace, holding it against the free blocks and inodes that there were."""

    def __init__(self, blocks, inodes, geometry):
        self.blocks, self.inodes, self.geometry = set(blocks), set(inodes), geometry
        self.wrong, self.asked, self.logged, self.counts = [], {}, {}, collections.Counter()

    def event(self, task, ev, text):
        num = lambda name: int(re.search(r"\b%s (-?\d+)" % name, text).group(1))
        if ev == "ext4_allocate_blocks":
            self.take("blocks", set(range(num("block"), num("block") + num("len"))), text)
        elif ev == "ext4_mballoc_free":
            g, start, length = map(int, re.search(r"extent (\d+)/(\d+)/(\d+)", text).groups())
            start += g * self.geometry.per_group + self.geometry.first
            self.give("blocks", set(range(start, start + length)), text)
        elif ev == "ext4_allocate_inode":
            self.take("inodes", {num("ino")}, text)
        elif ev == "ext4_free_inode":
            self.give("inodes", {num("ino")}, text)
        elif ev == "jbd2_handle_start":
            self.asked[task] = num("requested_blocks")
        elif ev == "jbd2_handle_extend" and task in self.asked:
            self.asked[task] += num("requested_blocks")
        elif ev == "jbd2_handle_stats":
            self.counts["handles"] += 1
            if num("dirtied_blocks") > max(num("requested_blocks"), self.asked.get(task, 0)):
                self.wrong.append("more dirtied than asked for: " + text)
        elif ev == "jbd2_run_stats":
            self.logged[num("tid")] = num("blocks_logged")

    def take(self, what, got, text):
        here = getattr(self, what)
        self.counts[what + " taken"] += len(got)
        if not got <= here:
            self.wrong.append("allocated what was not free: " + text)
        here -= got

    def give(self, what, got, text):
        here = getattr(self, what)
        self.counts[what + " given back"] += len(got)
        if got & here:
            self.wrong.append("freed what was free: " + text)
        here |= got


def check(extant, script, options, img, trace):
    """(what is wrong, counts)"""
    geometry = Geometry(img)
    told = Told(free(img, "blocks"), free(img, "inodes"), geometry)
    p = subprocess.run([extant, "run", "-o", options, "--trace", trace, img, script], stderr=subprocess.PIPE, text=True)
    if p.returncode:
        return ["the script does not run: " + p.stderr.strip()], told.counts
    with open(trace) as f:
        for line in f:
            m = re.search(r": (\w+): (.*)$", line)
            if m:
                told.event(line.split("[")[0].strip(), *m.groups())
    wrong = told.wrong
    for what in ("blocks", "inodes"):
        differ = getattr(told, what) ^ free(img, what)
        if differ:
            wrong.append("bitmaps: %d %s differ, first %s" % (len(differ), what, sorted(differ)[:5]))
    if geometry.journal:
        held = Log(img, geometry.block).transactions()
        for tid, n in sorted(held.items()):
            told.counts["transactions in the log"] += tid in told.logged
            if tid in told.logged and told.logged[tid] != n:
                wrong.append("transaction %d: the log holds %d blocks, the event says %d" % (tid, n, told.logged[tid]))
        if told.logged and not set(held) & set(told.logged):
            wrong.append("no transaction was found in the log")
    return wrong, told.counts


# ---- which scripts

def recorded(o):
    """(name, script, options, kind, seed)"""
    for script in o.scripts:
        yield script, script, "noinit_itable,commit=600", PLAIN, 1
    for name in () if o.scripts else SCRIPTS:
        mode = ",data=" + name[8:] if name.startswith(("24", "25")) else ""
        yield name, os.path.join(o.golden, name, "workload.wl"), "noinit_itable,commit=600" + mode, PLAIN, 1


def drawn(o, work):
    kinds = [k for k in sides.KINDS if k.write]
    for seed in o.only or random_scripts.seeds("truth " + (o.seed or random_scripts.commit()), o.random):
        kind, script = kinds[seed % len(kinds)], os.path.join(work, "workload.wl")
        gen = genscript.Script(seed, kind.profile, block=kind.block, disk=kind.bytes(), mount_options=random_scripts.mount_lines(kind))
        with open(script, "w") as f:
            f.write(gen.generate())
        yield "seed %d %s %s" % (seed, kind.name, gen.profile), script, kind.options(), kind, seed


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("extant")
    a.add_argument("--golden", default=os.path.join(HERE, "..", "golden", "4.9"))
    a.add_argument("--random", type=int, default=0)
    a.add_argument("--seed")
    a.add_argument("--only", type=int, nargs="+")
    a.add_argument("scripts", nargs="*")
    o = a.parse_args()
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    missing = [t for t in ("mke2fs", "dumpe2fs", "debugfs") if not shutil.which(t)]
    if missing:
        print("skipped: %s missing" % ", ".join(missing))
        return 77
    bad, total, number = 0, collections.Counter(), 0
    with tempfile.TemporaryDirectory(prefix="extant-truth-") as work:
        img, trace = os.path.join(work, "fs.img"), os.path.join(work, "trace.txt")
        for name, script, options, kind, seed in drawn(o, work) if o.random or o.only else recorded(o):
            kind.make(img, seed)
            wrong, counts = check(o.extant, script, options, img, trace)
            total.update(counts)
            number += 1
            bad += bool(wrong)
            print("%s: %s" % (name, "; ".join(random_scripts.most(wrong, "wrong")) or "true"), flush=True)
    print("%d scripts, %d lied: %s" % (number, bad, ", ".join("%d %s" % (n, what) for what, n in sorted(total.items()))))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
