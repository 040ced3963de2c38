#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/mount-options.md against what happens.

    options_test.py EXTANT

Each row of its tables: an image is mounted with the option, which must be accepted (done, taken) or refused by its
name (refused), and the image then be clean. What is *done* has a check here that sees it done; one that has none fails.
Options of one table in options.c and not in the document fail too. Where this machine's kernel mounts images, it must
take and refuse the same ones, but for *here alone*. Exit 77 without e2fsprogs.
"""
import json, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "oracle"))
import loopmount

SMALL = ["-b", "1024", "-J", "size=1"]


def sh(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


class Bench:
    """An image and what extant does with it."""

    def __init__(self, extant, work):
        self.extant, self.image, self.work = extant, os.path.join(work, "image"), work

    def make(self, *options, size="16M"):
        if os.path.exists(self.image):
            os.unlink(self.image)
        p = sh("mke2fs", "-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", *(options or SMALL), self.image, size)
        assert p.returncode == 0, p.stdout

    def run(self, options, script, trace=None, dialect="6.18"):
        """(exit status, what was said, results)"""
        path, results = os.path.join(self.work, "script"), os.path.join(self.work, "results")
        with open(path, "w") as f:
            f.write(script)
        words = ["-o", options] if options else []
        if dialect:
            words += ["-o", "dialect=" + dialect]
        if trace:
            words += ["--trace", trace, "--trace-format", "ftrace"]
        p = sh(self.extant, "run", "-v", "--snapshots", self.work, "--results", results, *words, self.image, path)
        lines = []
        if os.path.exists(results):
            with open(results) as f:
                lines = [json.loads(x) for x in f][1:]
            os.unlink(results)
        return p.returncode, p.stdout, lines

    def rets(self, options, script, **more):
        """What each operation of the script returned: a count, or the name of an error."""
        status, said, lines = self.run(options, script, **more)
        assert status == 0, said
        return [x.get("errno", x["ret"]) for x in lines][1:-1]

    def events(self, options, script, dialect="6.18"):
        """For each operation the lines of its events; 0 is the mount."""
        trace, out = os.path.join(self.work, "trace"), {}
        status, said, _ = self.run(options, script, trace=trace, dialect=dialect)
        assert status == 0, said
        with open(trace) as f:
            op = None
            for line in f:
                m = re.search(r"tracing_mark_write: op_(begin|end) (\d+)", line)
                if m:
                    op = int(m.group(2)) if m.group(1) == "begin" else None
                elif op is not None:
                    out.setdefault(op, []).append(line)
        return out

    def super(self, image=None):
        return sh("dumpe2fs", "-h", image or self.image).stdout

    def clean(self):
        p = sh("e2fsck", "-fn", self.image)
        assert p.returncode == 0, p.stdout

    def bytes(self):
        with open(self.image, "rb") as f:
            return f.read()


CHECKS = {}


def check(*names):
    def note(fn):
        for n in names:
            CHECKS[n] = fn
        return fn
    return note


PUT = "open fd=1 /f O_CREAT|O_RDWR 0644\nwrite fd=1 len=%d fill=q\n"


def has(lines, *words):
    return any(all(w in x for w in words) for x in lines)


# ---- reading and writing

@check("ro", "noload,ro", "norecovery,ro")
def read_only(b, option):
    b.make()
    b.rets("", "mkdir /committed 0755\nshutdown logflush\n")
    before = b.bytes()
    r = b.rets(option, "access /committed\nmkdir /d 0755\n")
    assert r == [0 if option == "ro" else "ENOENT", "EROFS"], r
    assert b.bytes() == before


@check("rw")
def writable(b, option):
    b.make()
    assert b.rets(option, "mkdir /d 0755\n") == [0]


@check("sync")
def sync(b, option):
    b.make()
    r = b.rets(option, PUT % 100 + "shutdown nologflush\n")
    assert r == [0, 100, 0]
    assert b.rets("", "open fd=1 /f O_RDONLY\nread fd=1 len=200\n") == [0, 100]


@check("async")
def not_sync(b, option):
    b.make()
    b.rets("sync," + option, PUT % 100 + "shutdown nologflush\n")
    assert b.rets("", "access /f\n") == ["ENOENT"]


@check("dirsync")
def dirsync(b, option):
    b.make()
    b.rets(option, "mkdir /d 0755\nopen fd=1 /d/f O_CREAT|O_RDWR 0644\nshutdown nologflush\n")
    assert b.rets("", "access /d/f\n") == [0]


def damaged(b):
    b.make()
    b.rets("", "mkdir /d 0755\nmkdir /d/e 0755\n")
    p = sh("debugfs", "-w", "-R", "sif /d block[0] 0x1234f30b", b.image)
    assert p.returncode == 0, p.stdout


@check("errors=continue")
def errors_continue(b, option):
    damaged(b)
    assert b.rets(option, "access /d/e\nmkdir /f 0755\n") == ["EUCLEAN", 0]
    assert re.search(r"FS Error count: +1\n", b.super()) and "clean with errors" in b.super()
    facts = json.loads(sh(b.extant, "info", "--json", b.image).stdout)
    flat = json.dumps(facts)
    assert re.search(r'"error_count": ?1\b', flat) and '"first_error_kind": "EFSCORRUPTED"' in flat, flat


@check("errors=remount-ro")
def errors_read_only(b, option):
    damaged(b)
    r = b.rets(option, "mkdir /kept 0755\nsyncfs\nmkdir /lost 0755\naccess /d/e\nmkdir /f 0755\nremount rw\n")
    assert r[3:] == ["EUCLEAN", "EROFS", "EROFS"], r
    assert re.search(r"FS Error count: +1\n", b.super()) and "needs_recovery" in b.super()
    assert b.rets("", "access /kept\naccess /lost\n") == [0, "ENOENT"]


@check("errors=panic")
def errors_panic(b, option):
    damaged(b)
    status, said, lines = b.run(option, "access /d/e\nmkdir /f 0755\nsyncfs\n")
    assert [x.get("errno") for x in lines[1:3]] == ["EUCLEAN", "EIO"] and "this mount is dead" in said


@check("abort")
def abort(b, option):
    b.make()
    assert b.rets(option, "mkdir /f 0755\n") == ["EROFS"]


@check("sb=1")
def backup_superblock(b, option):
    b.make("-b", "4096", size="256M")
    b.rets("", "mkdir /d 0755\n")
    with open(b.image, "r+b") as f:
        f.seek(1024)
        f.write(bytes(1024))
    status, said, _ = b.run("", "access /d\n")
    assert status and "backup" in said
    assert b.rets("ro,sb=131072", "access /d\n") == [0]
    b.make()
    assert b.rets(option, "mkdir /d 0755\n") == [0]


def statfs_blocks(b, option):
    _, _, lines = b.run(option, "statfs /\n")
    return lines[1]["blocks"]


@check("minixdf", "bsddf")
def df(b, option):
    b.make()
    assert (statfs_blocks(b, option) == 16384) == (option == "minixdf")


# ---- the journal

def logged(b, option):
    """Blocks that the commit of one write logged."""
    e = b.events(option, PUT % 8000 + "fsync fd=1\n", dialect="4.9")
    return [int(re.search(r"blocks_logged (\d+)", x).group(1)) for x in sum(e.values(), []) if "jbd2_run_stats" in x]


@check("data=ordered")
def data_ordered(b, option):
    b.make("-b", "4096")
    assert has(b.events(option, PUT % 8000 + "sleep 31000\nsyncfs\n")[2], "ext4_da_write_begin")


@check("data=journal")
def data_journal(b, option):
    b.make("-b", "4096")
    plain = logged(b, "")
    b.make("-b", "4096")
    assert sum(logged(b, option)) == sum(plain) + 2


@check("data=writeback")
def data_writeback(b, option):
    b.make("-b", "4096")
    e = b.events(option, PUT % 8000 + "fsync fd=1\n", dialect="4.9")
    assert not has(sum(e.values(), []), "jbd2_submit_inode_data")


@check("commit=9")
def commit(b, option):
    for given, after in ((option, 9), ("commit=0", 5), ("commit=20", 20)):
        b.make()
        assert b.rets(given, "mkdir /d 0755\nsleep %d\nshutdown nologflush\n" % (after * 1000 - 500)) == [0, 0, 0]
        assert b.rets("", "access /d\n") == ["ENOENT"], given
        assert b.rets(given, "mkdir /d 0755\nsleep %d\nshutdown nologflush\n" % (after * 1000 + 500)) == [0, 0, 0]
        assert b.rets("", "access /d\n") == [0], given


def flushes(b, option):
    """fdatasync calls of a run: what a flush is on an image file."""
    log = os.path.join(b.work, "strace")
    path = os.path.join(b.work, "script")
    with open(path, "w") as f:
        f.write(PUT % 100 + "fsync fd=1\n")
    sh("strace", "-f", "-o", log, "-e", "trace=fdatasync", b.extant, "run", "-o", option or "rw", b.image, path)
    with open(log) as f:
        return f.read().count("fdatasync(")


@check("barrier", "barrier=1", "barrier=0", "nobarrier")
def barrier(b, option):
    b.make()
    if not shutil.which("strace"):
        return
    n = flushes(b, option)
    assert (n > 0) == (option in ("barrier", "barrier=1")), n
    assert b.rets("", "remount %s\nmkdir /d 0755\nsyncfs\n" % option)[0] == 0


@check("journal_checksum", "nojournal_checksum")
def journal_checksum(b, option):
    b.make("-b", "1024", "-O", "^metadata_csum")
    b.rets(option, "mkdir /d 0755\nshutdown logflush\n")
    assert ("journal_checksum" in b.super()) == (option == "journal_checksum"), b.super()
    assert b.rets(option, "access /d\n") == [0]


@check("journal_async_commit,data=writeback")
def async_commit(b, option):
    b.make()
    b.rets(option, "mkdir /d 0755\nshutdown logflush\n")
    assert "journal_async_commit" in b.super(), b.super()
    assert b.rets(option, "access /d\n") == [0]


@check("data_err=ignore", "data_err=abort")
def data_err(b, option):
    """What follows from a write that fails: src/lib/whole_test.c."""
    b.make()
    assert b.rets(option, PUT % 100 + "fsync fd=1\n") == [0, 100, 0]


# ---- space

@check("delalloc", "nodelalloc")
def delalloc(b, option):
    b.make("-b", "4096")
    e = b.events(option, PUT % 8000, dialect="4.9")
    assert has(e[2], "ext4_da_write_begin") == (option == "delalloc")
    assert has(e[2], "ext4_allocate_blocks") == (option == "nodelalloc")


@check("dioread_lock")
def dioread(b, option):
    b.make("-b", "4096")
    e = sum(b.events(option, PUT % 8000 + "fsync fd=1\n").values(), [])
    assert has(e, "ext4_ext_map_blocks_exit", "mflags NM") and not has(e, "convert_unwritten")


@check("auto_da_alloc", "auto_da_alloc=0", "noauto_da_alloc")
def auto_da_alloc(b, option):
    b.make("-b", "4096")
    e = b.events(option, PUT % 8000 + "fsync fd=1\nclose fd=1\nopen fd=1 /f O_TRUNC|O_RDWR\nwrite fd=1 len=100 fill=z\n"
                 "close fd=1\nsleep 10\n")
    assert has(e.get(7, []), "ext4_alloc_da_blocks") == (option == "auto_da_alloc")


@check("stripe=16")
def stripe(b, option):
    b.make("-b", "4096")
    e = b.events(option, "open fd=1 /f O_CREAT|O_RDWR 0644\npwrite fd=1 off=0 len=65536\nfsync fd=1\n" +
                 "open fd=2 /g O_CREAT|O_RDWR 0644\npwrite fd=2 off=0 len=1M\nfsync fd=2\n", dialect="4.9")
    found = [int(x) for x in re.findall(r"ext4_mballoc_alloc: .* result \d+/(\d+)/", "".join(sum(e.values(), [])))]
    assert len(found) > 1 and all(x % 16 == 0 for x in found), found
    assert b.rets("stripe=4000000000", "mkdir /d 0755\n") == [0]


@check("discard", "nodiscard")
def discard(b, option):
    b.make("-b", "4096")
    b.rets(option, PUT % (4 << 20) + "fsync fd=1\nftruncate fd=1 len=0\nfsync fd=1\n")
    assert (b"q" * 4096 not in b.bytes()) == (option == "discard")


def lazy(b, option, ms):
    b.make("-b", "1024", "-g", "1024", "-O", "^flex_bg", "-E", "lazy_itable_init=1")
    b.rets(option, "sleep %d\n" % ms)
    return len(re.findall(r"ITABLE_ZEROED", sh("dumpe2fs", b.image).stdout))


@check("init_itable", "init_itable=2", "noinit_itable")
def init_itable(b, option):
    n = lazy(b, option, 60000)
    assert (n == 16) if option != "noinit_itable" else (n < 16), n


@check("max_dir_size_kb=64")
def max_dir_size(b, option):
    b.make("-N", "4000", "-b", "1024")
    script = "mkdir /d 0755\n" + "".join("open fd=1 /d/%s%d O_CREAT|O_RDWR\nclose fd=1\n" % ("n" * 200, i) for i in range(600))
    r = b.rets(option, script)
    assert "ENOSPC" in r and b.rets("", "open fd=1 /d/%s O_CREAT|O_RDWR\n" % ("m" * 200)) == [0]
    assert all(x == 0 for x in r[:300]), r[:300]


@check("resuid=1000", "resgid=1000")
def reserved(b, option):
    """What follows from it is the reserved blocks' test's; here it is taken."""
    b.make()
    assert b.rets(option, "mkdir /d 0755\n") == [0]


# ---- names, owners, times

@check("grpid", "bsdgroups", "nogrpid", "sysvgroups")
def grpid(b, option):
    b.make()
    p = sh("debugfs", "-w", "-R", "sif <2> gid 77", b.image)
    assert p.returncode == 0
    _, _, lines = b.run(option, "mkdir /d 0755\nstat /d\n")
    assert (lines[2]["gid"] == 77) == (option in ("grpid", "bsdgroups")), lines[2]


@check("noatime", "relatime", "strictatime", "nodiratime", "diratime")
def atime(b, option):
    b.make()
    b.rets("", "mkdir /d 0755\n" + PUT % 10)
    start = 1700000000
    _, _, lines = b.run(option, "sleep 5000\nopen fd=1 /f O_RDONLY\nread fd=1 len=10\nreaddir /d\nlstat /f\nlstat /d\n"
                        "sleep 5000\npread fd=1 off=0 len=10\nreaddir /d\nlstat /f\nlstat /d\n")
    a = [x["times"]["a"] for x in lines if "times" in x]
    moved = [a[0] >= start + 5, a[1] >= start + 5, a[2] > a[0], a[3] > a[1]]
    want = {"noatime": [False] * 4, "relatime": [True, True, False, False], "strictatime": [True] * 4,
            "nodiratime": [True, False, False, False], "diratime": [True, True, False, False]}[option]
    assert moved == want, (moved, a)


@check("lazytime", "nolazytime")
def lazytime(b, option):
    b.make()
    b.rets("", PUT % 10)
    script = "sleep 5000\nopen fd=1 /f O_RDONLY\nread fd=1 len=10\nsleep 8000\nshutdown nologflush\n"
    b.rets(option + ",strictatime", script)
    _, _, lines = b.run("", "lstat /f\n")
    assert (lines[1]["times"]["a"] < 1700000005) == (option == "lazytime"), lines


@check("nombcache", "no_mbcache")
def mbcache(b, option):
    """Blocks that two files share: tested where attributes are."""
    b.make()
    assert b.rets(option, "mkdir /d 0755\n") == [0]


# ---- extant's own

@check("cache_mb=64", "dialect=4.9", "offset=0")
def own(b, option):
    b.make()
    assert b.rets(option, "mkdir /d 0755\n", dialect=None) == [0]
    if option == "offset=0":
        data = b.bytes()
        with open(b.image, "wb") as f:
            f.write(bytes(65536) + data)
        assert b.rets("offset=65536", "access /d\n") == [0]


# ---- the document

def rows():
    with open(os.path.join(TOP, "docs", "mount-options.md")) as f:
        for line in f:
            m = re.match(r"\| `([^`]+)` \| (\w+) \| (.*)\|$", line)
            if m:
                yield m.group(1), m.group(2), m.group(3)


def try_row(b, option, kind):
    if kind == "done":
        if option not in CHECKS:
            return "done, and nothing here sees it done"
        CHECKS[option](b, option)
        if not option.startswith("errors=") and option not in ("abort", "sb=1", "offset=0") and "ro" not in option.split(","):
            b.clean()
        return None
    b.make()
    before = b.bytes()
    status, said, _ = b.run(option, "mkdir /d 0755\n")
    if kind == "taken":
        if status:
            return "not taken: " + said
        b.clean()
    elif not status or not re.search(r"(mount option %s\b|partition)" % re.escape(option.split("=")[0].split(",")[0]), said):
        return "not refused by name: " + said
    elif b.bytes() != before:
        return "refused, and the image was changed"
    return None


def kernel_takes(b, option):
    """None where the kernel cannot be asked."""
    if os.geteuid() or not os.path.exists("/dev/loop-control"):
        return None
    b.make()
    try:
        with loopmount.Mounted(b.image, option):
            return True
    except loopmount.Failed:
        return False


def listed_in_code():
    with open(os.path.join(TOP, "src", "ext4", "options.c")) as f:
        text = f.read()
    text = text[text.index("static const struct option options[]"):text.index("void ext4_default_options")]
    return set(re.findall(r'(?:[A-Z]+\(|\{ (?:\.name = )?)"(\w+)"', text))


SHORT = {"atime", "users", "nostrictatime", "fscontext", "defcontext", "rootcontext"}     # named with their like


def main():
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if not shutil.which("mke2fs") or not shutil.which("debugfs"):
        print("skipped: needs e2fsprogs")
        return 77
    failed, asked, count, names = 0, 0, 0, set()
    loopmount.own_namespace()
    with tempfile.TemporaryDirectory(prefix="extant-options-") as work:
        b = Bench(os.path.abspath(sys.argv[1]), work)
        can_ask = kernel_takes(b, "rw")
        for option, kind, text in rows():
            count += 1
            names.update(x.split("=")[0] for x in option.split(","))
            if sys.argv[2:] and option not in sys.argv[2:]:
                continue
            try:
                wrong = try_row(b, option, kind)
            except (AssertionError, KeyError, IndexError) as e:
                wrong = "%s: %s" % (type(e).__name__, e)
            if not wrong and can_ask and "here alone" not in text:
                asked += 1
                if kernel_takes(b, option) != (kind != "refused"):
                    wrong = "this machine's kernel does otherwise"
            if wrong:
                failed += 1
                print("%s (%s): %s" % (option, kind, wrong))
    missing = listed_in_code() - names - SHORT
    if missing:
        failed += 1
        print("not in docs/mount-options.md: " + " ".join(sorted(missing)))
    print("%d options, %d of them held against the kernel, %d failed" % (count, asked, failed))
    return 1 if failed else 0


sys.exit(main())
