#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An image that was mounted is free when loopmount.py says so, whatever others do meanwhile. Exit 77 without root."""
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import loopmount
from loopmount import Mounted

LOOKS_FOR_S = 0.3


class LoopMount(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='extant-loop-')
        self.addCleanup(folder.cleanup)
        self.image = os.path.join(folder.name, 'image')
        loopmount.run('mke2fs', '-q', '-F', '-t', 'ext4', self.image, '1M')

    def attached(self):
        return self.image in loopmount.run('losetup', '-n', '-O', 'BACK-FILE').stdout

    def test_someone_looks_at_the_device(self):
        mounted = Mounted(self.image)
        with mounted:
            fd = os.open(mounted.dev, os.O_RDONLY)
            looking = threading.Timer(LOOKS_FOR_S, os.close, [fd])
            looking.start()
            begin = time.monotonic()
        self.assertGreater(time.monotonic() - begin, LOOKS_FOR_S / 2)
        self.assertFalse(self.attached())
        looking.join()

    def test_someone_works_in_the_directory(self):
        with Mounted(self.image) as folder:
            other = subprocess.Popen(['sleep', str(LOOKS_FOR_S)], cwd=folder)
        self.assertFalse(self.attached())
        other.wait()

    def test_namespaces_made_meanwhile(self):
        """By who starts from where this test did, as other tests do."""
        with Mounted(self.image):
            other = subprocess.Popen(['nsenter', '--mount=/proc/%d/ns/mnt' % os.getppid(), 'unshare', '-m', 'sleep', '60'],
                                     start_new_session=True)
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
            time.sleep(LOOKS_FOR_S)
        self.assertFalse(self.attached())

    def test_who_mounted_is_killed(self):
        program = 'import loopmount, os, sys; loopmount.own_namespace(); loopmount.Mounted(sys.argv[1]).__enter__(); os.abort()'
        subprocess.run([sys.executable, '-c', program, self.image], cwd=os.path.dirname(os.path.abspath(__file__)),
                       env=dict(os.environ, TMPDIR=os.path.dirname(self.image)),
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        until = time.monotonic() + loopmount.GONE_WITHIN_S
        while self.attached() and time.monotonic() < until:
            time.sleep(0.01)
        self.assertFalse(self.attached())

    def test_what_cannot_be_mounted(self):
        os.truncate(self.image, 0)
        os.truncate(self.image, 1 << 20)
        with self.assertRaises(loopmount.Failed):
            Mounted(self.image).__enter__()
        self.assertFalse(self.attached())


if __name__ == '__main__':
    loopmount.own_namespace()
    if not loopmount.can_mount():
        print('skipped: needs root and loop devices')
        sys.exit(77)
    unittest.main()
