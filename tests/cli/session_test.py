#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many commands on one mount: batches and the shell; and being cut off."""
import os
import pty
import select
import signal
import subprocess
import time

from support import CliTest, ENVIRONMENT, EXTANT, IO, REFUSED, Run, USAGE, main


class Sessions(CliTest):
    def batch(self, image, *lines, words=()):
        return Run("batch", *words, image, stdin="\n".join(lines).encode() + b"\n")

    def test_batch(self):
        image, source = self.filled(), self.path("a file")
        with open(source, "w") as f:
            f.write("content")
        r = self.batch(image, "# a comment", "", "mkdir -p /x/y", "put '%s' /x/y/\"a name\"" % source, "cd x/y",
                       "ls", "cat a\\ name # here", "pwd", "cd ..", "ls -a", "cd", "ls")
        self.assertEqual((r.status, r.err), (0, ""))
        self.assertEqual(r.text, "a name\ncontent/x/y\n.\n..\ny\na\ndir\nl\nlost+found\nx\n")
        self.check(image)

    def test_batch_from_a_file(self):
        image, commands = self.filled(), self.path("commands")
        with open(commands, "w") as f:
            f.write("put - /in\nls /in")
        r = self.run_ok("batch", image, commands, stdin=b"from stdin")
        self.assertEqual(r.text, "/in\n")
        self.assertEqual(self.run_ok("cat", image, "/in").out, b"from stdin")
        self.run_fails(IO, "batch", image, self.path("none"), says="none")

    def test_batch_fails(self):
        """The line is named, what came before is there, the first failure's status is the end."""
        image = self.filled()
        r = self.batch(image, "mkdir /one", "", "rm /none", "mkdir /two")
        self.assertEqual((r.status, r.err), (REFUSED, "extant batch: line 3: rm: %s: /none: no such file or directory\n" % image))
        self.assertEqual(self.run_ok("ls", image).text, "a\ndir\nl\nlost+found\none\n")
        r = self.batch(image, "rm /none", "chmod q /a", "mkdir /two", "frobnicate", "echo 'open", words=["-k"])
        self.assertEqual(r.status, REFUSED)
        self.assertEqual([line.split(": ")[1] for line in r.err.splitlines()], ["line 1", "line 2", "line 4", "line 5"])
        self.assertIn("two\n", self.run_ok("ls", image).text)
        r = self.batch(image, "mkdir /three", "exit 7", "mkdir /four")
        self.assertEqual((r.status, r.err), (7, ""))
        self.assertIn("three\n", self.run_ok("ls", image).text)
        self.check(image)

    def test_batch_refuses(self):
        image = self.filled()
        for line, says in (("info", "not in use"), ("extant ls", "leave out"), ("ls -o ro", "mounted already"),
                           ("put - /x", "standard input"), ("cd /a", "no directory"), ("shell", "not in use"),
                           ("pwd x", "one too many"), ("ls 'x", "quote")):
            r = self.batch(image, line)
            self.assertNotEqual(r.status, 0, line)
            self.assertIn(says, r.err)
            self.assertTrue(r.err.startswith("extant batch: line 1"), r.err)
        with self.unchanged(image):
            r = self.batch(image, "ls /dir", "rm /a", words=["-o", "ro"])
            self.assertEqual((r.status, r.text), (REFUSED, "b\n"))
            self.assertIn("read-only", r.err)

    def test_help(self):
        image = self.filled()
        r = self.batch(image, "help", "ls --help", "help chmod", "cd --help")
        self.assertEqual(r.status, 0, str(r))
        for text in ("\n  ls ", "\n  cd ", "\nls [OPTION...] [PATH...]\n", "\nchmod [OPTION...] MODE PATH...\n", "\ncd [PATH]\n"):
            self.assertIn(text, "\n" + r.text)
        self.assertNotIn("--options", r.text)

    # ---- the shell

    def test_shell_plainly(self):
        image = self.filled()
        r = Run("shell", image, stdin=b"ls\nrm /none\ncd dir\nls\nmkdir new\n")
        self.assertEqual((r.status, r.text), (0, "a\ndir\nl\nlost+found\nb\n"))
        self.assertEqual(r.err, "extant rm: %s: /none: no such file or directory\n" % image)
        self.assertEqual(self.run_ok("ls", image, "/dir").text, "b\nnew\n")
        self.assertEqual(Run("shell", image, stdin=b"rm /none").status, REFUSED)
        with self.unchanged(image):
            self.assertEqual(Run("shell", "-r", image, stdin=b"mkdir /x\n").status, REFUSED)

    def read_until(self, fd, text):
        seen = b""
        while text not in seen:
            ready, _, _ = select.select([fd], [], [], 30)
            self.assertTrue(ready, "waited for %r, saw %r" % (text, seen))
            seen += os.read(fd, 4096)
        return seen

    def test_shell_at_a_terminal(self):
        """The prompt, a line with a completed name, ^C, and the end by ^D; the history is kept."""
        image = self.filled()
        pid, fd = pty.fork()
        if pid == 0:
            # libedit does not free the names of functions that were added to it.
            os.execve(EXTANT, [EXTANT, "shell", image],
                      dict(ENVIRONMENT, HOME=self.dir, TERM="dumb", ASAN_OPTIONS="detect_leaks=0"))
        self.read_until(fd, b"test.img:/> ")
        os.write(fd, b"cd dir\n")
        self.read_until(fd, b"test.img:/dir> ")
        os.write(fd, b"half a line\x03")
        self.read_until(fd, b"> ")
        os.write(fd, b"mkdir made\n")
        self.read_until(fd, b"made")
        self.read_until(fd, b"> ")
        os.write(fd, b"\x04")
        while True:
            try:
                if not os.read(fd, 4096):
                    break
            except OSError:
                break
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        os.close(fd)
        self.assertEqual(self.run_ok("ls", image, "/dir").text, "b\nmade\n")
        self.check(image)

    # ---- cut off

    def cut(self, image, words, after, sig):
        """A command that reads for ever, cut off when `after` bytes are under way."""
        p = subprocess.Popen([EXTANT, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, env=ENVIRONMENT)
        p.stdin.write(b"x" * after)
        p.stdin.flush()
        time.sleep(0.3)
        p.send_signal(sig)
        err = p.stderr.read().decode()
        p.stdin.close()
        p.stderr.close()
        self.assertEqual(p.wait(60), -sig, err)
        self.assertIn("interrupted", err)
        self.check(image)

    def test_put_cut_off(self):
        image = self.filled()
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.cut(image, ["put", image, "-", "/new"], 300000, sig)
            self.assertEqual(self.run_ok("ls", image).text, "a\ndir\nl\nlost+found\n")

    def test_batch_cut_off(self):
        image = self.filled()
        p = subprocess.Popen([EXTANT, "batch", image], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=ENVIRONMENT)
        p.stdin.write(b"mkdir /one\nls\n")
        p.stdin.flush()
        self.assertIn(b"\n", p.stdout.readline())
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate()
        self.assertEqual(p.returncode, -signal.SIGTERM, err)
        self.check(image)
        self.assertIn("one\n", self.run_ok("ls", image).text)


if __name__ == "__main__":
    main()
