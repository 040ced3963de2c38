#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""get, put, cp, mv and ln: trees arrive whole, with everything that belongs to them; what is replaced is
replaced as a whole or not at all."""
import os
import signal
import stat
import subprocess
import time

from support import CliTest, DAMAGED, ENVIRONMENT, EXTANT, IO, REFUSED, Run, USAGE, main

ROOT = os.geteuid() == 0


class Copies(CliTest):
    def host_tree(self):
        """A tree with one of everything; its path."""
        top = self.path("tree")
        os.makedirs(os.path.join(top, "sub/deeper"))
        with open(os.path.join(top, "plain"), "w") as f:
            f.write("plain\n")
        os.chmod(os.path.join(top, "plain"), 0o640)
        os.link(os.path.join(top, "plain"), os.path.join(top, "sub/again"))
        with open(os.path.join(top, "sparse"), "wb") as f:
            f.truncate(3 << 20)
            f.seek(1 << 20)
            f.write(b"x" * 5000)
        os.symlink("../plain", os.path.join(top, "sub/link"))
        os.symlink("x" * 200, os.path.join(top, "dangling"))
        os.mkfifo(os.path.join(top, "fifo"), 0o622)
        with open(os.path.join(top, "sub/empty"), "w"):
            pass
        if ROOT:
            os.mknod(os.path.join(top, "sub/null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.chown(os.path.join(top, "plain"), 1000, 100)
            os.lchown(os.path.join(top, "dangling"), 5, 6)
        os.chmod(os.path.join(top, "sub/empty"), 0o4755)
        os.chmod(os.path.join(top, "sub/deeper"), 0o1777)
        for n, name in enumerate(("plain", "sparse", "dangling", "fifo", "sub/empty", "sub/deeper", "sub", "")):
            os.utime(os.path.join(top, name), ns=(10 ** 18 + n * 10 ** 9 + 1, 10 ** 18 + n * 10 ** 9 + 7),
                     follow_symlinks=False)
        return top

    def on_host(self, top):
        """What there is below a directory of the host: attributes by path."""
        found, groups = {}, {}
        for where, dirs, files in os.walk(top):
            for name in [""] if where == top else []:
                dirs = dirs + [name]
            for name in dirs + files:
                path = os.path.join(where, name).rstrip("/")
                st = os.lstat(path)
                key = os.path.relpath(path, top)
                found[key] = [st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns,
                              st.st_size if not stat.S_ISDIR(st.st_mode) else 0,
                              (os.major(st.st_rdev), os.minor(st.st_rdev)),
                              os.readlink(path) if stat.S_ISLNK(st.st_mode) else None]
                if not stat.S_ISDIR(st.st_mode):
                    groups.setdefault(st.st_ino, []).append(key)
        return found, sorted(sorted(g) for g in groups.values())

    def in_image(self, image, top):
        """The same of an image."""
        found, groups = {}, {}
        files = self.run_ok("find", image, top, "-print0").text.split("\0")[:-1]
        for f in self.run_ok("stat", "--json", image, *files).json["files"]:
            key = os.path.relpath(f["path"], top)
            target = self.run_ok("stat", "-c", "%N", image, f["path"]).text if stat.S_ISLNK(f["mode"]) else None
            found[key] = [f["mode"], f["uid"], f["gid"], f["mtime"]["sec"] * 10 ** 9 + f["mtime"]["nsec"],
                          f["size"] if not stat.S_ISDIR(f["mode"]) else 0, (f["rdev_major"], f["rdev_minor"]),
                          target.split("'")[3] if target else None]
            if not stat.S_ISDIR(f["mode"]):
                groups.setdefault(f["ino"], []).append(key)
        return found, sorted(sorted(g) for g in groups.values())

    def sectors(self, image, path):
        return self.run_ok("stat", "--json", image, path).json["files"][0]["sectors"]

    # ---- trees

    def test_there_and_back(self):
        """Host to image, image to image, image to another, back to the host: the same each time."""
        top = self.host_tree()
        expected = self.on_host(top)
        one, two = self.mkfs(name="one.img"), self.mkfs("-b", "4096", name="two.img")
        self.run_ok("put", "-r", one, top, "/")
        self.assertEqual(self.in_image(one, "/tree"), expected)
        self.run_ok("cp", "-a", one, "/tree", "/copy")
        self.assertEqual(self.in_image(one, "/copy"), expected)
        with self.unchanged(one):
            self.run_ok("cp", "-r", one, "/copy", two + ":/third")
        self.assertEqual(self.in_image(two, "/third"), expected)
        with self.unchanged(two):
            self.run_ok("cp", "-r", one, two + ":/third", ":/fourth")
        self.assertEqual(self.in_image(one, "/fourth"), expected)
        self.run_ok("get", "-r", two, "/third", self.path("back"))
        self.assertEqual(self.on_host(self.path("back")), expected)
        subprocess.run(["diff", "-r", "--no-dereference", "--exclude=fifo", "--exclude=null", top, self.path("back")],
                       check=True)
        for image, path in ((one, "/tree/sparse"), (one, "/copy/sparse"), (two, "/third/sparse")):
            self.assertLess(self.sectors(image, path), 64)
        self.assertLess(os.stat(self.path("back/sparse")).st_blocks, 256)
        self.check(one)
        self.check(two)

    def test_move_between_images(self):
        top = self.host_tree()
        expected = self.on_host(top)
        one, two = self.mkfs(name="one.img"), self.mkfs(name="two.img")
        self.run_ok("put", "-a", one, top, "/")
        self.run_ok("mv", one, "/tree", two + ":/")
        self.assertEqual(self.in_image(two, "/tree"), expected)
        self.assertEqual(self.run_ok("ls", one).text, "lost+found\n")
        self.run_ok("mv", one, two + ":/tree/plain", "/here")
        self.assertEqual(self.run_ok("cat", one, "/here").out, b"plain\n")
        self.assertEqual(self.run_ok("stat", "-c", "%h", two, "/tree/sub/again").text, "1\n")
        self.check(one)
        self.check(two)

    def test_owner_and_mode(self):
        top, image = self.host_tree(), self.mkfs()
        self.run_ok("put", "-r", "--owner", "7:8", "-m", "u=rw,go=", image, top, "/t")
        for f in self.in_image(image, "/t")[0].values():
            self.assertEqual(f[1:3], [7, 8])
            if stat.S_ISREG(f[0]):
                self.assertEqual(f[0] & 0o777, 0o600)
        self.run_fails(USAGE, "put", "--owner", "x", image, top + "/plain", "/x", says="x")

    def test_into_itself(self):
        image = self.filled()
        self.assertIn("into itself", self.run_fails(REFUSED, "cp", "-r", image, "/dir", "/dir/copy").err)
        self.run_fails(REFUSED, "cp", image, "/a", "/a", says="are the same")
        self.run_fails(REFUSED, "mv", image, "/dir", "/dir/x", says="into itself")
        self.run_fails(REFUSED, "cp", image, "/dir", "/x", says=["is a directory", "-r"])
        self.check(image)

    def test_circles(self):
        image = self.filled()
        self.debugfs(image, "mkdir dir/below", "link dir dir/below/back")
        r = Run("get", "-r", image, "/dir", self.path("out"))
        self.assertEqual(r.status, DAMAGED, str(r))
        self.assertIn("leads back", r.err)

    def test_a_link_in_the_way(self):
        """Below what was named, a link in the target is replaced and never followed."""
        image, out = self.filled(), self.path("out")
        os.makedirs(out)
        with open(self.path("victim"), "w") as f:
            f.write("keep")
        os.symlink("../victim", os.path.join(out, "b"))
        self.run_ok("get", "-r", image, "/dir/", out + "/..")       # no link yet: dir
        os.rename(self.path("dir"), self.path("gone"))
        os.rename(out, self.path("dir"))
        self.run_ok("get", "-r", image, "/dir", self.dir)
        self.assertTrue(stat.S_ISREG(os.lstat(self.path("dir/b")).st_mode))
        with open(self.path("victim")) as f:
            self.assertEqual(f.read(), "keep")

    # ---- words

    def test_targets(self):
        image = self.filled()
        self.run_ok("mkdir", image, "/to")
        self.run_ok("cp", image, "/a", "/dir/b", "/to")
        self.run_ok("cp", image, "-t", "/to", "/l")
        self.assertEqual(self.run_ok("ls", image, "/to").text, "a\nb\nl\n")
        self.run_ok("cp", "-T", image, "/a", "/to2")
        self.run_ok("mv", image, "/to/a", "/to/b", "/")
        self.run_ok("mv", image, "/to2", "/renamed")
        self.assertEqual(self.run_ok("ls", image).text, "a\nb\ndir\nl\nlost+found\nrenamed\nto\n")
        self.run_ok("get", image, "/a", "/b", self.dir)
        self.run_ok("put", image, self.path("a"), self.path("b"), "/to")
        self.run_ok("put", image, self.path("a"))
        self.run_fails(REFUSED, "cp", image, "/a", "/b", "/renamed", says="/renamed")
        self.run_fails(IO, "get", image, "/a", "/b", self.path("none"), says="none")
        self.run_fails(USAGE, "cp", image, "/a", says="TO")
        self.check(image)

    def test_links_named(self):
        image = self.filled()
        self.run_ok("cp", image, "/l", "/followed")
        self.run_ok("cp", "-d", image, "/l", "/link")
        self.assertEqual(self.run_ok("stat", "-c", "%F", image, "/followed", "/link").text, "regular file\nsymbolic link\n")

    def test_keeping(self):
        image = self.filled()
        self.run_ok("touch", "-d", "2020-01-01", image, "/a")
        self.run_ok("cp", "-n", image, "/a", "/dir/b")
        self.run_ok("cp", "-u", image, "/a", "/dir/b")
        self.run_ok("mv", "-n", image, "/a", "/dir/b")
        self.run_ok("mv", "-u", image, "/a", "/dir/b")
        self.assertEqual(self.run_ok("ls", image, "/a", "/dir/b").text, "/a\n/dir/b\n")
        self.assertEqual(self.run_ok("stat", "-c", "%s", image, "/dir/b").text, "10240\n")
        self.run_ok("cp", "-u", image, "/dir/b", "/a")
        self.assertEqual(self.run_ok("stat", "-c", "%s", image, "/a").text, "10240\n")
        self.assertEqual(self.run_ok("cp", "-v", image, "/a", "/v").text, "/a -> /v\n")

    def test_mv(self):
        image = self.filled()
        before = self.run_ok("stat", "-c", "%i", image, "/a", "/dir").text.split()
        self.run_ok("mv", "--exchange", image, "/a", "/dir")
        self.assertEqual(self.run_ok("stat", "-c", "%i", image, "/dir", "/a").text.split(), before)
        self.run_fails(REFUSED, "mv", image, "/none", "/x", says="/none")
        self.run_ok("mkdir", "-p", image, "/full/x", "/empty/full")
        self.run_ok("mv", image, "/full", "/empty")
        self.run_fails(REFUSED, "mv", "-T", image, "/lost+found", "/empty", says="not empty")
        self.check(image)

    def test_ln(self):
        image = self.filled()
        self.run_ok("ln", image, "/a", "/hard")
        self.run_ok("ln", "-s", image, "a", "/soft")
        self.run_ok("ln", "-s", image, "../somewhere else", "/dir")
        self.assertEqual(self.run_ok("stat", "-c", "%h", image, "/a").text, "2\n")
        self.assertEqual(self.run_ok("stat", "-c", "%N", image, "/soft", "/dir/somewhere else").text,
                         "'/soft' -> 'a'\n'/dir/somewhere else' -> '../somewhere else'\n")
        self.run_fails(REFUSED, "ln", image, "/a", "/hard", says="-f")
        self.run_fails(REFUSED, "ln", image, "/dir", "/dir2", says="-s")
        self.run_ok("ln", "-f", image, "/dir/b", "/hard")
        self.run_ok("ln", "-sf", image, "dir", "/soft")
        self.run_ok("ln", "-sfn", image, "a", "/soft")
        self.assertEqual(self.run_ok("stat", "-c", "%h", image, "/dir/b").text, "2\n")
        self.assertEqual(self.run_ok("cat", image, "/soft").out, b"five\n")
        self.assertNotIn(".extant", self.run_ok("ls", "-aR", image).text)
        self.check(image)

    def test_mknod(self):
        image = self.mkfs()
        for words, form in ((["/b", "b", "7", "300"], "b 7 300"), (["/c", "c", "4095", "1048575"], "c 4095 1048575"),
                            (["/p", "p"], "p 0 0"), (["/s", "s"], "s 0 0")):
            self.run_ok("mknod", "-m", "640", image, *words)
            f = self.run_ok("stat", "--json", image, words[0]).json["files"][0]
            self.assertEqual("%s %d %d" % (f["mode_text"][0], f["rdev_major"], f["rdev_minor"]), form)
            self.assertEqual(f["mode_text"][1:], "rw-r-----")
        self.run_fails(USAGE, "mknod", image, "/x", "q", says="q")
        self.run_fails(USAGE, "mknod", image, "/x", "b", "1", says="b")
        self.run_fails(USAGE, "mknod", image, "/x", "c", "4096", "0", says="4095")
        self.check(image)

    def test_other_images(self):
        one, two = self.filled(name="one.img"), self.filled(name="two.img")
        self.run_fails(IO, "cp", one, "/a", self.path("none.img") + ":/x", says="none.img")
        self.run_fails(REFUSED, "cp", one, two + ":/none", "/x", says=["two.img", "/none"])
        self.run_fails(USAGE, "cp", one, "/a", one + ":/x", says="first image")
        self.run_ok("mkdir", one, "/odd:")
        self.run_ok("cp", one, "/a", ":/odd:/in")
        self.assertEqual(self.run_ok("ls", one, "/odd:").text, "in\n")
        r = Run("batch", one, stdin=b"cd dir\ncp b %s:/from-batch\n" % os.fsencode(two))
        self.assertEqual((r.status, r.err), (0, ""))
        self.assertEqual(self.run_ok("stat", "-c", "%s", two, "/from-batch").text, "10240\n")

    # ---- whole or not at all

    def test_replaced_or_not(self):
        """A file that does not fit leaves what was there, with its owner and its bytes."""
        image = self.filled(size="8M")
        self.run_ok("chown", image, "5:6", "/dir/b")
        old = self.run_ok("cat", image, "/dir/b").out
        with open(self.path("big"), "wb") as f:
            f.write(os.urandom(12 << 20))
        self.run_fails(REFUSED, "put", image, self.path("big"), "/dir/b", says="no space left")
        self.assertEqual(self.run_ok("cat", image, "/dir/b").out, old)
        self.assertEqual(self.run_ok("ls", "-a", image, "/dir").text, ".\n..\nb\n")
        self.run_ok("put", image, "-", "/dir/b", stdin=b"new")
        self.assertEqual(self.run_ok("stat", "-c", "%u:%g %s", image, "/dir/b").text, "5:6 3\n")
        self.check(image)

    def cut(self, words, ready, sig):
        """Runs until `ready()`, then sends the signal; the process dies of it."""
        p = subprocess.Popen([EXTANT, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=ENVIRONMENT)
        ready(p)
        p.send_signal(sig)
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, -sig, err)
        self.assertIn(b"interrupted", err)

    def test_cut_off(self):
        image = self.filled()
        def started(p):
            p.stdin.write(b"y" * 200000)
            p.stdin.flush()
            time.sleep(0.3)
        for sig in (signal.SIGINT, signal.SIGTERM):
            self.cut(["put", image, "-", "/dir/b"], started, sig)
            self.assertEqual(self.run_ok("stat", "-c", "%s", image, "/dir/b").text, "10240\n")
            self.assertEqual(self.run_ok("ls", "-a", image, "/dir").text, ".\n..\nb\n")
            self.check(image)

    def test_tree_cut_off(self):
        """Every file of a tree that was cut off is whole; none is half."""
        image, top = self.mkfs(size="256M"), self.path("many")
        os.mkdir(top)
        for i in range(300):
            with open(os.path.join(top, "%03d" % i), "wb") as f:
                f.write(b"z" * 300000)
        def some_done(p):
            for _ in range(20):
                p.stdout.readline()
        self.cut(["put", "-rv", image, top, "/"], some_done, signal.SIGTERM)
        self.check(image)
        files = self.run_ok("find", "--json", image, "/many", "-type", "f").json["files"]
        self.assertGreater(len(files), 10)
        self.assertLess(len(files), 300)
        self.assertEqual({f["size"] for f in files}, {300000})

    # ---- trim

    def test_trim(self):
        image = self.mkfs(size="64M")
        self.run_ok("put", image, "-", "/x", stdin=os.urandom(8 << 20))
        self.run_ok("rm", image, "/x")
        before = os.stat(image).st_blocks
        r = self.run_ok("trim", "-v", image)
        self.assertRegex(r.text, r"trimmed\n$")
        self.assertLess(os.stat(image).st_blocks, before - (4 << 20) // 512)
        self.assertGreaterEqual(self.run_ok("trim", "--json", image).json["trimmed"], 0)
        self.run_fails(USAGE, "trim", "-m", "x", image, says="-m")
        self.check(image)


if __name__ == "__main__":
    main()
