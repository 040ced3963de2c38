#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""put, mkdir and rm: e2fsck finds nothing afterwards, debugfs reads what was written, and what cannot be
done says so and leaves the rest as it was."""
import os

from support import CliTest, DAMAGED, IO, REFUSED, main
from read_test import KINDS


class Writing(CliTest):
    def write_host(self, name, content, mode=0o644):
        with open(self.path(name), "wb") as f:
            f.write(content)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def test_on_all_kinds(self):
        large = os.urandom(1 << 20)
        source = self.write_host("large", large)
        for what, args in KINDS.items():
            if what == "no extents":            # TODO: with block maps that can be written
                continue
            with self.subTest(what):
                image = self.filled(*args)
                self.run_ok("mkdir", "-p", image, "/x/y/z", "/w")
                self.run_ok("put", image, source, "/x/y/large")
                self.run_ok("put", image, "-", "/a", stdin=b"other")
                self.run_ok("rm", image, "/dir/b")
                self.run_ok("rm", "-r", image, "/w", "/dir")
                self.assertEqual(self.run_ok("cat", image, "/x/y/large").out, large)
                self.assertEqual(self.run_ok("cat", image, "/a").out, b"other")
                self.check(image)
                self.debugfs(image, "dump /x/y/large %s" % self.path("dumped"))
                self.assertEqual(self.digest(self.path("dumped")), self.digest(source))

    # ---- put

    def test_put_modes(self):
        image = self.filled()
        source = self.write_host("s", b"x", 0o4751)
        self.run_ok("put", image, source, "/one")
        self.run_ok("put", "-m", "600", image, source, "/two")
        self.run_ok("put", image, "-", "/three", stdin=b"")
        self.run_ok("put", image, source, "/dir")
        files = self.run_ok("stat", "--json", image, "/one", "/two", "/three", "/dir/s").json["files"]
        self.assertEqual([f["mode"] & 0o7777 for f in files], [0o4751, 0o600, 0o644, 0o4751])
        self.assertEqual([f["size"] for f in files], [1, 1, 0, 1])
        self.assertEqual({(f["uid"], f["gid"]) for f in files}, {(0, 0)})
        self.check(image)

    def test_put_over_a_longer_one(self):
        image = self.filled()
        self.run_ok("put", image, "-", "/dir/b", stdin=b"short")
        self.assertEqual(self.run_ok("cat", image, "/dir/b").out, b"short")
        self.assertEqual(self.run_ok("cat", image, "/l").out, b"short")
        self.run_ok("put", image, "-", "/l", stdin=b"through the link")
        self.assertEqual(self.run_ok("cat", image, "/dir/b").out, b"through the link")
        self.check(image)

    def test_put_refused(self):
        image = self.filled()
        with self.unchanged(image):
            self.run_fails(IO, "put", image, self.path("none"), "/x", says=["none", "No such file"])
            self.run_fails(IO, "put", image, self.dir, "/x", says=["Is a directory"])
            self.run_fails(REFUSED, "put", "-o", "ro", image, "-", "/x", says="read-only")
        for path, says in (("/no/x", ["/no/x", "mkdir -p"]), ("/a/x", ["no directory"]), ("/dir", ["/dir", "is a directory"]),
                           ("/" + 256 * "n", ["too long"])):
            self.run_fails(REFUSED, "put", image, "-", path, says=says)
        self.check(image)

    def test_put_without_space(self):
        image = self.mkfs(size="4M")
        source = self.write_host("big", os.urandom(8 << 20))
        self.run_fails(REFUSED, "put", image, source, "/big", says=["/big", "no space left"])
        self.assertEqual(self.run_ok("ls", image).text, "lost+found\n")
        self.check(image)
        self.run_ok("put", image, "-", "/small", stdin=b"fits")
        self.check(image)

    # ---- mkdir

    def test_mkdir(self):
        image = self.filled()
        self.run_ok("mkdir", "-m", "1777", image, "/t")
        self.run_ok("mkdir", "-p", image, "/dir", "/p/q/", "/dir/r", "rel/ative")
        self.assertEqual(self.run_ok("stat", "--json", image, "/t").json["files"][0]["mode"], 0o41777)
        self.assertEqual(self.run_ok("ls", image, "/dir").text, "b\nr\n")
        self.run_fails(REFUSED, "mkdir", image, "/dir", says="is there already")
        self.run_fails(REFUSED, "mkdir", image, "/n/m", says="-p makes the directories")
        self.run_fails(REFUSED, "mkdir", "-p", image, "/a", says="is there already")
        self.run_fails(REFUSED, "mkdir", "-p", image, "/a/x", says="/a/x")
        self.check(image)

    # ---- rm

    def test_rm(self):
        image = self.filled()
        self.run_ok("mkdir", "-p", image, "/dir/deep/er")
        with self.unchanged(image):
            self.run_fails(REFUSED, "rm", "-o", "ro", image, "/a", says="read-only")
        self.run_fails(REFUSED, "rm", image, "/dir", says=["is a directory", "-r"])
        self.run_fails(REFUSED, "rm", image, "/no", says="no such file")
        self.run_fails(REFUSED, "rm", "-r", image, "/", says="test.img: /: ")
        self.check(image)
        self.run_ok("rm", "-f", image, "/no")

    def test_rm_circle(self):
        image = self.filled()
        self.debugfs(image, "mkdir dir/below", "link dir dir/below/back")
        self.run_fails(DAMAGED, "rm", "-r", image, "/dir/below", says=["/dir/below/back", "leads back"])

    def test_rm_tree(self):
        image = self.filled()
        self.run_ok("mkdir", "-p", image, "/dir/deep/er", "/dir/other")
        for i in range(30):
            self.run_ok("put", image, "-", "/dir/deep/%d" % i, stdin=b"x" * i)
        self.run_ok("rm", image, "/l")
        self.run_ok("rm", "-r", image, "/dir", "/a")
        self.assertEqual(self.run_ok("ls", image).text, "lost+found\n")
        self.check(image)


if __name__ == "__main__":
    main()
