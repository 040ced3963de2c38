# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the command line share: images, runs, and what must always hold.

A test file is run as FILE EXTANT [unittest's arguments]. Images are made by mke2fs; without it the
test is skipped (exit 77).
"""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

DONE, REFUSED, USAGE, DAMAGED, IO = 0, 1, 2, 4, 8
SKIPPED = 77
ENVIRONMENT = dict(os.environ, LC_ALL="C", TZ="UTC",
                   PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
EXTANT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None

READERS = {                     # arguments behind the image
    "info": [], "ls": [], "cat": ["/a"], "stat": ["/a"], "get": ["/a", "-"], "replay": ["--dry-run"], "tree": [],
    "find": [], "du": [], "df": [], "filefrag": ["/a"], "label": [], "uuid": [],
    "getfattr": ["/a"], "getfacl": ["/a"], "lsattr": ["/a"],
}
WRITERS = {
    "put": ["-", "/new"], "mkdir": ["/newdir"], "rm": ["/a"], "replay": [], "run": ["-"], "trace": ["-"],
    "rmdir": ["/none"], "chmod": ["600", "/a"], "chown": ["1:1", "/a"], "touch": ["/new"],
    "truncate": ["-s", "0", "/a"], "batch": [], "shell": [], "cp": ["/a", "/new"],
    "mv": ["/a", "/new"], "ln": ["/a", "/new"], "mknod": ["/new", "p"], "trim": [],
    "setfattr": ["-n", "user.x", "/a"], "setfacl": ["-m", "u:1:r", "/a"], "chattr": ["+d", "/a"],
    "fallocate": ["-l", "1", "/a"],
}
RAW = ["find", "chattr"]                  # words behind the image that look like options are their own


FILLED, KEPT = {}, tempfile.TemporaryDirectory(prefix="extant-cli-")    # images that were filled once


def tool(name):
    return shutil.which(name, path=ENVIRONMENT["PATH"])


def mke2fs_knows(features):
    """Whether this mke2fs has all of these features."""
    with tempfile.TemporaryDirectory() as d:
        image = os.path.join(d, "probe.img")
        return subprocess.run([tool("mke2fs"), "-q", "-t", "ext4", "-O", features, image, "8M"],
                              env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0


def main():
    if not tool("mke2fs") or not tool("debugfs"):
        print("mke2fs and debugfs are not there (e2fsprogs)")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])


class Run:
    """One run of the command line."""

    def __init__(self, *words, stdin=b"", env=None):
        done = subprocess.run([EXTANT, *map(str, words)], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env or ENVIRONMENT, timeout=60)
        self.words, self.status = words, done.returncode
        self.out, self.raw_err = done.stdout, done.stderr
        self.err = done.stderr.decode(errors="replace")

    @property
    def text(self):
        return self.out.decode(errors="surrogateescape")

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return "extant %s -> %d\nstdout: %r\nstderr: %s" % (
            " ".join(map(str, self.words)), self.status, self.out[:2000], self.err)


class CliTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="extant-cli-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def mkfs(self, *args, size="16M", name="test.img"):
        image = self.path(name)
        if os.path.exists(image):
            os.remove(image)
        subprocess.run([tool("mke2fs"), "-q", "-t", "ext4", *args, image, size], check=True,
                       env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return image

    def debugfs(self, image, *commands):
        script = "\n".join(commands) + "\n"
        return subprocess.run([tool("debugfs"), "-w", "-f", "-", image], input=script.encode(),
                              check=True, env=ENVIRONMENT, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).stdout.decode()

    def filled(self, *args, **keys):
        """An image with /a (5 bytes), /dir/b, a link /l, made without extant."""
        image, ready = self.path(keys.get("name", "test.img")), FILLED.get((args, keys.get("size")))
        if ready:
            shutil.copyfile(ready, image)
            return image
        image = self.mkfs(*args, **keys)
        with open(self.path("a"), "w") as f:
            f.write("five\n")
        with open(self.path("b"), "wb") as f:
            f.write(bytes(range(256)) * 40)
        self.debugfs(image, "write %s a" % self.path("a"), "mkdir dir",
                     "write %s dir/b" % self.path("b"), "symlink l dir/b")
        FILLED[args, keys.get("size")] = os.path.join(KEPT.name, "%d.img" % len(FILLED))
        shutil.copyfile(image, FILLED[args, keys.get("size")])
        return image

    def digest(self, path):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()

    # ---- what must hold

    def run_ok(self, *words, **keys):
        """It ends with 0 and says nothing on stderr."""
        r = Run(*words, **keys)
        self.assertEqual(r.status, DONE, str(r))
        self.assertEqual(r.err, "", str(r))
        return r

    def run_fails(self, status, *words, says=(), **keys):
        """It ends with that status and one line that holds each of `says`."""
        r = Run(*words, **keys)
        self.assertEqual(r.status, status, str(r))
        self.assertEqual(r.err.count("\n"), 1, "not one line: " + str(r))
        self.assertTrue(r.err.startswith("extant"), str(r))
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, r.err, str(r))
        return r

    def unchanged(self, image):
        """A context at whose end the image has the same bytes."""
        return Unchanged(self, image)

    def check(self, image):
        """e2fsck finds nothing."""
        done = subprocess.run([tool("e2fsck"), "-fn", image], env=ENVIRONMENT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())


class Unchanged:
    def __init__(self, test, image):
        self.test, self.image = test, image

    def __enter__(self):
        self.before = self.test.digest(self.image)

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.test.assertEqual(self.test.digest(self.image), self.before, "the image has changed")


class Locked:
    """Holds the lock that a program that uses the image would hold."""

    def __init__(self, image):
        self.file = open(image, "r+b")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
