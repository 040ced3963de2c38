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

WAIT_S = 120                    # for anything: a loaded machine with sanitizers is slow
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def signals_as_new():
    """In a child: as a shell at a terminal starts it, however this test was started."""
    for sig in SIGNALS:
        signal.signal(sig, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


class Terminal:
    """A command at a terminal of its own; ended with the test, whatever becomes of it."""

    def __init__(self, test, *words, prepare):
        self.test, self.unread = test, b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            prepare()
            # libedit does not free the names of functions that were added to it.
            os.execve(EXTANT, [EXTANT, *words],
                      dict(ENVIRONMENT, HOME=test.dir, TERM="dumb", ASAN_OPTIONS="detect_leaks=0"))
        self.status = None
        test.addCleanup(self.close)

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def more(self):
        """What it prints next; None: it prints no more."""
        ready, _, _ = select.select([self.fd], [], [], WAIT_S)
        self.test.assertTrue(ready, "nothing came behind %r" % self.unread)
        try:
            return os.read(self.fd, 4096) or None
        except OSError:                         # how Linux says that the other side is closed
            return None

    def expect(self, text):
        """Reads on until and with this text; what stands behind it is for the next time."""
        while text not in self.unread:
            more = self.more()
            self.test.assertIsNotNone(more, "it ended; %r is missing in %r" % (text, self.unread))
            self.unread += more
        self.unread = self.unread.split(text, 1)[1]

    def type(self, text):
        os.write(self.fd, text)

    def end(self):
        """How it ends, as waitpid() has it."""
        while self.more():
            pass
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                return status
            time.sleep(0.01)
        self.test.fail("it does not end")


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

    def at_terminal(self, prepare, before=0):
        """The prompt, ^C in a line (behind `before` times a line), and the end by ^D."""
        image = self.filled()
        t = Terminal(self, "shell", image, prepare=prepare)
        t.expect(b"test.img:/> ")
        t.type(b"cd dir\n")
        t.expect(b"test.img:/dir> ")
        for _ in range(before):
            t.type(b"half a line\x03")
            t.expect(b"test.img:/dir> ")
        t.type(b"half a line\x03\x03")
        t.expect(b"test.img:/dir> ")
        t.type(b"mkdir made\n")
        t.expect(b"made")
        t.expect(b"test.img:/dir> ")
        t.type(b"\x04")
        self.assertEqual(t.end(), 0)
        self.assertEqual(self.run_ok("ls", image, "/dir").text, "b\nmade\n")
        self.check(image)

    def test_shell_at_a_terminal(self):
        """Often, since ^C may come at any instant between the prompt and the wait for a key."""
        self.at_terminal(signals_as_new, before=30)

    def test_shell_where_interrupts_are_ignored(self):
        """As in what a script starts in the background: ^C at a terminal is a key all the same."""
        def prepare():
            signals_as_new()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.at_terminal(prepare)

    def test_shell_where_interrupts_are_held_back(self):
        def prepare():
            signals_as_new()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        self.at_terminal(prepare)

    def test_shell_cut_off(self):
        """Told to end at its prompt, it unmounts and dies of that signal."""
        for sig in (signal.SIGTERM, signal.SIGHUP):
            image = self.filled()
            t = Terminal(self, "shell", image, prepare=signals_as_new)
            t.expect(b"test.img:/> ")
            t.type(b"mkdir made\n")
            t.expect(b"made")
            t.expect(b"test.img:/> ")
            os.kill(t.pid, sig)
            self.assertEqual(t.end(), sig)
            self.assertIn("made\n", self.run_ok("ls", image).text)
            self.check(image)

    # ---- cut off

    def started(self, *words):
        p = subprocess.Popen([EXTANT, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=ENVIRONMENT, preexec_fn=signals_as_new)
        for f in (p.stdin, p.stdout, p.stderr):
            self.addCleanup(f.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def ends_by(self, p, sig):
        """It dies of the signal, though its stdin goes on; what it said."""
        p.send_signal(sig)
        self.assertEqual(p.wait(WAIT_S), -sig)
        return p.stderr.read().decode()

    def cut(self, image, words, after, sig):
        """A command that reads for ever, cut off when it has read nearly `after` bytes."""
        p = self.started(*words)
        p.stdin.write(b"x" * after)     # more than a pipe holds: it reads
        p.stdin.flush()
        self.assertIn("interrupted", self.ends_by(p, sig))
        self.check(image)

    def test_put_cut_off(self):
        image = self.filled()
        for sig in SIGNALS:
            self.cut(image, ["put", image, "-", "/new"], 300000, sig)
            self.assertEqual(self.run_ok("ls", image).text, "a\ndir\nl\nlost+found\n")

    def test_batch_cut_off(self):
        image = self.filled()
        p = self.started("batch", image)
        p.stdin.write(b"mkdir /one\nls\n")
        p.stdin.flush()
        self.assertTrue(select.select([p.stdout], [], [], WAIT_S)[0], "it lists nothing")
        self.ends_by(p, signal.SIGTERM)
        self.check(image)
        self.assertIn("one\n", self.run_ok("ls", image).text)


if __name__ == "__main__":
    main()
