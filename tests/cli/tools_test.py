#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The commands that have a namesake on every Linux (find, du, df, tree, filefrag, chmod, touch, truncate, ...):
the same words do the same to an image as the namesake does to a directory of the host."""
import os
import re
import stat
import subprocess

from support import CliTest, DAMAGED, ENVIRONMENT, REFUSED, Run, USAGE, main, tool


class Tools(CliTest):
    def host(self, *words, check=True):
        """A command of the host, in a directory of its own."""
        where = self.path("host")
        os.makedirs(where, exist_ok=True)
        done = subprocess.run(words, cwd=where, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def both(self, *files):
        """The same files on the host and in an image: (path, content); a directory's content is None."""
        image = self.mkfs()
        self.host("true")
        for path, content in files:
            there = os.path.join(self.path("host"), path)
            if content is None:
                os.mkdir(there)
                self.run_ok("mkdir", image, path)
            else:
                with open(there, "wb") as f:
                    f.write(content)
                self.run_ok("put", image, there, path)
        self.run_ok("rmdir", image, "lost+found")
        return image

    def stat_of(self, image, path):
        return self.run_ok("stat", "--json", image, path).json["files"][0]

    # ---- find

    TREE = (("a", b"five\n"), ("b.c", b"x" * 5000), ("empty", b""), ("d", None), ("d/e.c", b"1"),
            ("d/.hidden", b"22"), ("d/deep", None), ("d/deep/er", None), ("void", None), ("Z.C", b"y" * 1024))

    def test_find(self):
        image = self.both(*self.TREE)
        self.host("touch", "-d", "2020-01-01", "a")
        self.run_ok("touch", "-d", "2020-01-01", image, "a")
        self.host("chmod", "4711", "b.c")
        self.run_ok("chmod", image, "4711", "b.c")
        for words in ("", "-name *.c", "-iname *.c", "-type d", "-type f", "-type f -name *.c", "-type f -size +1k",
                      "-type f -size -2k", "-size 5000c", "-type f -size 1k", "-size 10", "-empty", "-maxdepth 1", "-mindepth 2",
                      "-maxdepth 0", "-name d -prune -o -print", "! -name *.c", "-not -type d -a -size -3",
                      "( -name a -o -name d ) -type d", "-perm 4711", "-perm -111", "-perm /4000", "-perm -u=s",
                      "-mtime +30", "-mtime -2", "-newer a -type f", "-newermt 2021-01-01 -type f", "-path */d/*",
                      "-depth", "-depth -type d", "-name [ab]* -print", "-type f -links 1", "-false -o -name a",
                      "-name d -print -o -name a -print", "-type d -empty", "-type f,d -name d"):
            theirs = self.host("find", ".", *words.split()).splitlines()
            ours = self.run_ok("find", image, ".", *words.split()).text.splitlines()
            self.assertEqual(sorted(ours), sorted(theirs), words)
        self.assertEqual(self.run_ok("find", image, "d", "-type", "f", "-print0").out, b"d/.hidden\0d/e.c\0")
        found = self.run_ok("find", "--json", image, "/d", "-name", "e*").json["files"]
        self.assertEqual([f["path"] for f in found], ["/d/deep/er", "/d/e.c"])
        self.run_ok("find", image, "/d", "-mindepth", "1", "-name", "deep*", "-o", "-delete")
        self.assertEqual(self.run_ok("find", image, "/").text.split(),
                         ["/", "/Z.C", "/a", "/b.c", "/d", "/d/deep", "/empty", "/void"])
        self.check(image)

    def test_find_wrong(self):
        image = self.filled()
        with self.unchanged(image):
            for words, says in ((["-nme", "x"], "-nme"), (["-name"], "-name"), (["(", "-name", "x"], "("),
                                (["-size", "x"], "-size"), (["-type", "q"], "-type"), (["-name", "a", ")"], ")"),
                                (["-o", "-name", "a"], "-o"), (["-exec", "rm", ";"], "-exec")):
                self.run_fails(USAGE, "find", image, *words, says=says)
            self.run_fails(REFUSED, "find", image, "/none", says="/none")
            self.run_fails(REFUSED, "find", image, "/", "-newer", "/none", says="/none")

    def test_circles(self):
        image = self.filled()
        self.debugfs(image, "mkdir dir/below", "link dir dir/below/back")
        for words in (["find", image], ["du", image], ["tree", image], ["chmod", "-R", image, "u+w", "/"]):
            r = Run(*words)
            self.assertEqual(r.status, DAMAGED, str(r))
            self.assertIn("leads back", r.err)

    # ---- space

    def test_du(self):
        image = self.filled()
        blocks = {p: self.stat_of(image, p)["sectors"] // 2 for p in ("/", "/a", "/dir", "/dir/b", "/l", "/lost+found")}
        self.assertEqual(self.run_ok("du", "-s", image).text, "%d\t/\n" % sum(blocks.values()))
        self.assertEqual(self.run_ok("du", image, "/dir").text, "%d\t/dir\n" % (blocks["/dir"] + blocks["/dir/b"]))
        self.assertEqual(self.run_ok("du", "-a", image, "/dir").text.splitlines()[0], "%d\t/dir/b" % blocks["/dir/b"])
        self.assertEqual(self.run_ok("du", "-b", image, "/dir/b", "/a").text, "10240\t/dir/b\n5\t/a\n")
        self.assertEqual(self.run_ok("du", "-sc", image, "/a", "/dir/b").text.splitlines()[-1],
                         "%d\ttotal" % (blocks["/a"] + blocks["/dir/b"]))
        self.assertEqual(self.run_ok("du", "-h", image, "/dir/b").text, "10K\t/dir/b\n")
        self.assertEqual(self.run_ok("du", "--inodes", "-s", image).text, "6\t/\n")
        self.assertEqual(self.run_ok("du", "-d0", "--json", image).json["total"], 1024 * sum(blocks.values()))
        self.run_fails(USAGE, "du", "-d", "x", image, says="x")

    def test_sizes_for_people(self):
        """As coreutils round them."""
        image = self.mkfs()
        sizes = [0, 1, 1023, 1024, 1025, 1536, 9 << 10, (10 << 10) - 1, 10 << 10, (10 << 10) + 1, 1 << 20,
                 (1 << 20) - 1, 5 << 30, (1 << 40) - 1]
        self.host("true")
        for size in sizes:
            self.host("truncate", "-s", str(size), "f%d" % size)
            self.run_ok("truncate", "-s", str(size), image, "/f%d" % size)
        theirs = {line.split()[8]: line.split()[4] for line in self.host("ls", "-lh").splitlines()[1:]}
        ours = {line.split()[7]: line.split()[4] for line in self.run_ok("ls", "-lh", image).text.splitlines()}
        del ours["lost+found"]
        self.assertEqual(ours, theirs)

    def test_df(self):
        image = self.filled()
        info = self.run_ok("info", "-s", "--json", image).json["superblock"]
        facts = self.run_ok("df", "--json", image).json
        self.assertEqual(facts["inodes"], info["inodes"])
        self.assertEqual(facts["inodes_free"], info["free_inodes"])
        self.assertEqual(facts["free"], info["free_blocks"])
        line = self.run_ok("df", image).text.splitlines()[1].split()
        self.assertEqual(int(line[3]), facts["available"] * facts["block_size"] // 1024)
        self.assertRegex(self.run_ok("df", "-h", image).text, r"(?m)^Filesystem +Size +Used +Available Use%$")
        self.assertEqual(self.run_ok("df", "-i", image).text.splitlines()[1].split()[1], str(info["inodes"]))

    def test_tree(self):
        image = self.filled()
        self.assertEqual(self.run_ok("tree", image).text,
                         "/\n|-- a\n|-- dir\n|   `-- b\n|-- l -> dir/b\n`-- lost+found\n\n2 directories, 3 files\n")
        self.assertEqual(self.run_ok("tree", "-d", image).text, "/\n|-- dir\n`-- lost+found\n\n2 directories\n")
        self.assertEqual(self.run_ok("tree", "-L", "1", "-f", image, "/dir").text, "/dir\n`-- /dir/b\n\n0 directories, 1 file\n")
        self.assertEqual(self.run_ok("tree", "--json", image).json["others"], 3)

    def test_filefrag(self):
        image = self.mkfs("-b", "1024")
        self.run_ok("put", image, "-", "/s", stdin=b"x" * 4096)
        extents = self.run_ok("stat", "-x", "--json", image, "/s").json["files"][0]["extents"]
        f = self.run_ok("filefrag", "--json", image, "/s").json["files"][0]
        self.assertEqual([e["physical"] for e in f["extents"]], [e["physical"] for e in extents])
        self.assertEqual(f["pieces"], 1)
        self.assertEqual(self.run_ok("filefrag", image, "/s").text, "/s: 1 extent found\n")
        block = extents[0]["physical"] // 1024
        self.assertRegex(self.run_ok("filefrag", "-v", image, "/s").text,
                         r"(?m)^   0:        0\.\. +3: +%d\.\. +%d: +4: last$" % (block, block + 3))

    # ---- ls

    def test_ls(self):
        image = self.both(*self.TREE)
        for path, day in (("a", 3), ("b.c", 1), ("Z.C", 2), ("d", 5), ("empty", 4), ("void", 6)):
            self.run_ok("touch", "-d", "2020-01-0%d" % day, image, path)
            self.host("touch", "-d", "2020-01-0%d" % day, path)
        for words in ([], ["-a"], ["-A"], ["-r"], ["-t"], ["-tr"], ["-p"], ["-F"], ["-d", "d"], ["-A", "d"], ["-R"]):
            theirs = self.host("ls", "-1", *words, *([] if words[-1:] == ["d"] else ["."]))
            ours = self.run_ok("ls", *words[:1], image, *(words[1:] or ["."])).text
            self.assertEqual(ours, theirs, words)
        self.assertEqual(self.run_ok("ls", "-S", image).text.splitlines()[-2:], ["a", "empty"])
        for line in self.run_ok("ls", "-i", image).text.splitlines():
            ino, name = line.split()
            self.assertEqual(int(ino), self.stat_of(image, name)["ino"])
        self.assertRegex(self.run_ok("ls", "--full-time", image, "a").text, r"2020-01-03 00:00:00\.0{9} \+0000 a$")

    # ---- what it is called

    def named(self, image, superblock=None):
        """(label, UUID) as dumpe2fs reads them from a superblock."""
        words = ["-o", "superblock=%d" % superblock] if superblock else []
        text = subprocess.run([tool("dumpe2fs"), "-h", *words, image], stdout=subprocess.PIPE, check=True,
                              stderr=subprocess.DEVNULL, env=ENVIRONMENT).stdout.decode()
        return (re.search(r"volume name: +(.*)", text).group(1), re.search(r"UUID: +(.*)", text).group(1))

    def test_label_and_uuid(self):
        uuid = "00112233-4455-6677-8899-aabbccddeeff"
        for args, may in ((["-O", "metadata_csum_seed"], True), ([], False), (["-O", "^metadata_csum,uninit_bg"], False),
                          (["-O", "^metadata_csum,^uninit_bg"], True), (["-O", "^has_journal,^metadata_csum"], True),
                          (["-O", "^metadata_csum,stable_inodes"], False), (["-b", "4096", "-O", "metadata_csum_seed"], True)):
            image = self.mkfs("-L", "first", *args, size="40M")
            block = 32768 if "4096" in args else 8193
            with self.subTest(args):
                with self.unchanged(image):
                    self.assertEqual(self.run_ok("label", image).text, "first\n")
                    self.assertEqual(self.run_ok("uuid", image).text, self.named(image)[1] + "\n")
                self.run_ok("label", image, "sixteen bytes ok")
                before = self.named(image)[1]
                if may:
                    self.run_ok("uuid", image, uuid)
                else:
                    self.run_fails(REFUSED, "uuid", image, uuid, says="checksums")
                self.assertEqual(self.named(image), ("sixteen bytes ok", uuid if may else before))
                if block == 8193:
                    self.assertEqual(self.named(image, block), self.named(image))
                self.check(image)
                self.assertEqual(self.run_ok("label", "--json", image).json["label"], "sixteen bytes ok")
                self.run_ok("label", image, "")
                self.assertEqual(self.run_ok("label", image).text, "\n")
        image = self.mkfs("-O", "metadata_csum_seed")
        self.run_ok("uuid", image, "random")
        self.assertRegex(self.run_ok("uuid", image).text, r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$")
        self.run_ok("uuid", image, "clear")
        self.assertEqual(self.run_ok("uuid", "--json", image).json["uuid"], "00000000-0000-0000-0000-000000000000")
        with self.unchanged(image):
            self.run_fails(USAGE, "label", image, "seventeen bytes -", says="16")
            for wrong in ("x", uuid[:-1], uuid[:-1] + "g", uuid.replace("-", "0"), uuid + "0"):
                self.run_fails(USAGE, "uuid", image, wrong, says=wrong)
            self.run_fails(REFUSED, "label", "-o", "ro", image, "new", says="read-only")
        self.check(image)

    # ---- attributes

    def test_chmod(self):
        """Each mode on a file and on a directory, from two old modes, as chmod(1) does it."""
        image = self.both(("f", b""), ("d", None))
        batch, cases = [], []
        modes = ("644", "0", "4755", "02755", "u+x", "g-w", "a=r", "+x", "-w", "=rw", "u=rwx,go=", "o+t", "+t", "u+s",
                 "g+s", "ug+s", "a+X", "u=g", "g=u-w", "u+r-w+x", "o=u", "go-rwx,u+s", "a-s", "00755", "u=,g+w")
        for mode in modes:
            for old in ("0640", "7751"):
                for name in ("f", "d"):
                    self.host("chmod", "0" + old, name)
                    self.host("chmod", "--", mode, name, check=False)
                    cases.append((mode, old, name, os.stat(os.path.join(self.path("host"), name)).st_mode & 0o7777))
                    batch += ["chmod 0%s %s" % (old, name), "chmod -- %s %s" % (mode, name), "stat -c %%a %s" % name]
        ours = self.run_ok("batch", image, stdin="\n".join(batch).encode()).text.split()
        for case, mode in zip(cases, ours, strict=True):
            self.assertEqual(int(mode, 8), case[3], case)
        self.check(image)

    def test_chmod_words(self):
        image = self.filled()
        self.run_ok("chmod", "-R", image, "g+w", "/dir")
        self.assertEqual(self.run_ok("stat", "-c", "%a %n", image, "/dir", "/dir/b", "/a").text,
                         "775 /dir\n664 /dir/b\n644 /a\n")
        self.assertEqual(self.run_ok("chmod", "-v", image, "600", "/a").text,
                         "/a: 0644 (rw-r--r--) -> 0600 (rw-------)\n")
        self.run_ok("chmod", "--reference", "/a", image, "/l")      # through the link
        self.assertEqual(self.stat_of(image, "/dir/b")["mode"], 0o100600)
        with self.unchanged(image):
            self.run_fails(USAGE, "chmod", image, "u+q", "/a", says="u+q")
            self.run_fails(USAGE, "chmod", image, "644", says="PATH")
        self.run_fails(REFUSED, "chmod", image, "644", "/none", says="/none")

    def test_chown(self):
        image = self.filled()
        self.run_ok("chown", "-h", image, "1000:100", "/a", "/l")
        self.run_ok("chown", "-R", image, ":7", "/dir")
        self.run_ok("chown", image, "65534", "/dir")
        self.assertEqual(self.run_ok("stat", "-c", "%u:%g", image, "/a", "/l", "/dir", "/dir/b").text.split(),
                         ["1000:100", "1000:100", "65534:7", "0:7"])
        self.run_ok("chown", image, "3:4", "/l")
        self.assertEqual(self.run_ok("stat", "-c", "%u:%g", image, "/l", "/dir/b").text.split(), ["1000:100", "3:4"])
        self.run_ok("chown", image, "root:root", "/a")
        self.assertEqual(self.run_ok("stat", "-c", "%u:%g", image, "/a").text, "0:0\n")
        with self.unchanged(image):
            self.run_fails(USAGE, "chown", image, "nobody", "/a", says="nobody")
        self.check(image)

    def test_touch(self):
        image = self.both(("f", b""))
        for words in (["-d", "2001-02-03 04:05:06.789"], ["-d", "@1234567890.5"], ["-d", "2026-05-04T12:00Z"],
                      ["-d", "2026-05-04 12:00 +0200"], ["-t", "202605041200.07"], ["-t", "9901020304"],
                      ["-d", "@-5"], ["-d", "2038-01-19 03:14:08"], ["-d", "2300-01-01"], ["-d", "1905-06-07 08:09"]):
            self.host("touch", *words, "f")
            self.run_ok("touch", *words, image, "f")
            st, ours = os.stat(os.path.join(self.path("host"), "f")), self.stat_of(image, "f")
            for name, theirs in (("mtime", st.st_mtime_ns), ("atime", st.st_atime_ns)):
                self.assertEqual(ours[name]["sec"] * 10 ** 9 + ours[name]["nsec"], theirs, words)
        self.run_ok("touch", "-a", "-d", "@7", image, "f")
        self.run_ok("touch", "-m", "-d", "@8", image, "f")
        self.assertEqual(self.run_ok("stat", "-c", "%X %Y", image, "f").text, "7 8\n")
        self.run_ok("touch", image, "new")
        self.run_ok("touch", "-r", "f", image, "new")
        self.assertEqual(self.run_ok("stat", "-c", "%X %Y", image, "new").text, "7 8\n")
        self.run_ok("touch", "-c", image, "none")
        self.assertEqual(self.run_ok("ls", image).text, "f\nnew\n")
        with self.unchanged(image):
            self.run_fails(USAGE, "touch", "-d", "soon", image, "f", says="soon")
        self.check(image)

    def test_truncate(self):
        image = self.both(("f", b"x" * 1000))
        for size in ("10", "4K", "+1", "-100", "<50", ">60", "/16", "%100", "1KB", "3MiB", "0"):
            self.host("truncate", "-s", size, "f")
            self.run_ok("truncate", "-s", size, image, "f")
            self.assertEqual(self.stat_of(image, "f")["size"], os.path.getsize(os.path.join(self.path("host"), "f")), size)
        self.run_ok("truncate", "-s", "7", image, "new")
        self.run_ok("truncate", "-r", "new", image, "f")
        self.run_ok("truncate", "-c", "-s", "7", image, "none")
        self.assertEqual(self.stat_of(image, "f")["size"], 7)
        self.assertEqual(self.run_ok("ls", image).text, "f\nnew\n")
        with self.unchanged(image):
            self.run_fails(USAGE, "truncate", image, "f", says="-s")
            self.run_fails(USAGE, "truncate", "-s", "x", image, "f", says="x")
        self.check(image)

    def test_stat_forms(self):
        image = self.both(("f", b"x" * 3000))
        self.host("chmod", "2750", "f")
        self.run_ok("chmod", image, "2750", "f")
        self.host("touch", "-d", "2020-02-02 02:02:02.5", "f")
        self.run_ok("touch", "-d", "2020-02-02 02:02:02.5", image, "f")
        for form in ("%a %A %f %F %h %n %s %u %g", "%x|%y|%X|%Y", "%N %%", "%8s|%-8s|%.3n"):
            self.assertEqual(self.run_ok("stat", "-c", form, image, "f").text, self.host("stat", "-c", form, "f"), form)
        self.assertEqual(self.run_ok("stat", "--printf", r"%s\n\t%n\0", image, "f").out, b"3000\n\tf\0")
        self.run_fails(USAGE, "stat", "-c", "%q", image, "f", says="%q")

    # ---- ranges

    def test_fallocate(self):
        image = self.mkfs("-b", "1024")
        size = lambda: self.run_ok("stat", "-c", "%s %b", image, "/f").text.split()
        self.run_ok("fallocate", "-l", "64K", image, "/f")
        self.assertEqual(size(), ["65536", "128"])
        self.run_ok("fallocate", "-n", "--offset", "64K", "-l", "64K", image, "/f")
        self.assertEqual(size(), ["65536", "256"])
        self.run_ok("put", image, "-", "/f", stdin=b"".join(bytes([65 + i]) * 1024 for i in range(20)))
        self.run_ok("fallocate", "-p", "--offset", "4K", "-l", "2K", image, "/f")
        self.run_ok("fallocate", "-c", "--offset", "1K", "-l", "1K", image, "/f")
        self.run_ok("fallocate", "-i", "--offset", "0", "-l", "1K", image, "/f")
        self.run_ok("fallocate", "-z", "--offset", "10K", "-l", "1K", image, "/f")
        expected = bytes(1024) + b"A" * 1024 + b"C" * 1024 + b"D" * 1024 + bytes(2048)
        self.assertEqual(self.run_ok("cat", image, "/f").out[:6144], expected)
        self.assertEqual(self.run_ok("cat", image, "/f").out[10240:11264], bytes(1024))
        self.run_fails(REFUSED, "fallocate", "-c", "-l", "100", image, "/f", says="whole blocks")
        self.assertEqual(self.run_ok("fallocate", "-v", "-l", "1K", image, "/f").text, "/f: 1024 bytes from 0\n")
        self.check(image)
        with self.unchanged(image):
            self.run_fails(USAGE, "fallocate", image, "/f", says="-l")
            self.run_fails(USAGE, "fallocate", "-l", "0", image, "/f", says="-l")
            self.run_fails(USAGE, "fallocate", "-l", "1", "-p", "-z", image, "/f", says="-p")

    # ---- directories

    def test_rmdir(self):
        image = self.filled()
        self.run_ok("mkdir", "-p", image, "/x/y/z")
        self.run_fails(REFUSED, "rmdir", image, "/x", says=["not empty", "rm -r"])
        self.run_fails(REFUSED, "rmdir", image, "/a", says="/a")
        self.run_ok("rmdir", "--ignore-fail-on-non-empty", image, "/x")
        self.assertEqual(self.run_ok("rmdir", "-pv", image, "x/y/z").text, "x/y/z\nx/y\nx\n")
        self.check(image)

    def test_rm_words(self):
        image = self.filled()
        self.run_fails(REFUSED, "rm", "-rf", image, "/", says="not removed")
        self.run_ok("mkdir", image, "/e")
        self.run_ok("rm", "-d", image, "/e")
        self.assertEqual(self.run_ok("rm", "-rv", image, "/dir").text, "/dir/b\n/dir\n")
        self.run_ok("rm", "-Rf", image, "/none")
        self.check(image)

    def test_mkdir_words(self):
        image = self.mkfs()
        self.assertEqual(self.run_ok("mkdir", "-v", "-m", "u=rwx,g=rx,o=", image, "/m").text, "/m\n")
        self.assertTrue(stat.S_ISDIR(self.stat_of(image, "/m")["mode"]))
        self.assertEqual(self.stat_of(image, "/m")["mode"] & 0o7777, 0o750)


if __name__ == "__main__":
    main()
