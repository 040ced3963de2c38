# SPDX-License-Identifier: BSD-2-Clause
"""Mounting an image file by this machine's kernel, so that tests run side by side and nothing is left.

Who mounts first enters a mount namespace of its own (own_namespace()). Otherwise each namespace that another
test makes meanwhile holds a copy of the mount, and the image stays in use after umount, for as long as that
test runs (or until the directory is removed, which Linux lets end all mounts on it). What is left mounted goes
with the process.

A detached loop device is gone only when nobody has it open any more; some program may just be looking at it.
detach() waits for that: whoever opens the image next must not find it in use, or mount it twice.
"""
import ctypes
import os
import shutil
import subprocess
import tempfile
import time

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
GONE_WITHIN_S = 60
BUSY_FOR_S = 10
PATH = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'


class Failed(Exception):
    """What could not be attached or mounted, and why."""


class InUse(OSError):
    """What could not be unmounted or detached, and why."""


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors='replace',
                          env=dict(os.environ, PATH=PATH, LC_ALL='C'))


def own_namespace():
    """Goes on in a mount namespace of its own, if it may."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.unshare(CLONE_NEWNS) == 0:
        # In a chroot the root directory is no mount, and what is mounted below is seen outside until it is unmounted.
        libc.mount(None, b'/', None, MS_REC | MS_PRIVATE, None)


def attach(image, *options):
    """The loop device."""
    p = run('losetup', '-f', '--show', *options, image)
    if p.returncode:
        raise Failed(f'losetup: {p.stderr.strip()}')
    return p.stdout.strip()


def backing(dev):
    """What a loop device is attached to; None: to nothing."""
    try:
        with open(f'/sys/block/{os.path.basename(dev)}/loop/backing_file') as f:
            return f.read().strip().removesuffix(' (deleted)')
    except OSError:
        return None


def let_go(dev):
    """It is detached when nobody has it open any more, mounted or not. Once: then it may be another's."""
    p = run('losetup', '-d', dev)
    if p.returncode:
        raise InUse(f'losetup -d {dev}: {p.stderr.strip()}')


def wait_until_gone(dev, image):
    until = time.monotonic() + GONE_WITHIN_S
    while image is not None and backing(dev) == image:
        if time.monotonic() > until:
            raise InUse(f'{dev} is still attached to {image} {GONE_WITHIN_S} s after it was detached')
        time.sleep(0.01)


def detach(dev):
    image = backing(dev)
    let_go(dev)
    wait_until_gone(dev, image)


def unmount(directory):
    until = time.monotonic() + BUSY_FOR_S
    while (p := run('umount', directory)).returncode:
        if 'busy' not in p.stderr or time.monotonic() > until:
            raise InUse(f'umount: {p.stderr.strip()}')
        time.sleep(0.1)


class Mounted:
    """with Mounted(image, options) as directory: ...; read-only also below, if `ro` is an option."""

    def __init__(self, image, options='rw'):
        self.image, self.options = image, options

    def __enter__(self):
        self.dev = attach(self.image, *(['-r'] if 'ro' in self.options.split(',') else []))
        self.dir = tempfile.mkdtemp(prefix='extant-mnt-')
        p = run('mount', '-t', 'ext4', '-o', self.options, self.dev, self.dir)
        if p.returncode:
            os.rmdir(self.dir)
            detach(self.dev)
            raise Failed(f'mount: {p.stderr.strip()}')
        self.attached = backing(self.dev)
        let_go(self.dev)        # it stays as long as the mount, also where this process is killed
        return self.dir

    def __exit__(self, *_):
        unmount(self.dir)
        os.rmdir(self.dir)
        wait_until_gone(self.dev, self.attached)


def can_mount():
    """Whether this is root on a machine with loop devices and ext4; needs mke2fs."""
    if os.geteuid() or not all(shutil.which(t, path=PATH) for t in ('mke2fs', 'losetup', 'mount', 'umount')):
        return False
    with tempfile.TemporaryDirectory(prefix='extant-probe-') as folder:
        image = os.path.join(folder, 'image')
        if run('mke2fs', '-q', '-F', '-t', 'ext4', image, '1M').returncode:
            return False
        try:
            with Mounted(image):
                return True
        except Failed:
            return False
