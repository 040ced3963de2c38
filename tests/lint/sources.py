# SPDX-License-Identifier: BSD-2-Clause
"""The files of the project, for the checks in this folder."""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def walk():
    for folder, folders, names in os.walk(TOP):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f != "__pycache__"]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), TOP)


def project_files():
    """Paths below the top: what git tracks or would, and everything where there is no git."""
    try:
        git = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        names = git.stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = walk()
    return sorted(n for n in names if os.path.isfile(os.path.join(TOP, n)))


def c_files():
    return [n for n in project_files() if n.endswith((".c", ".h")) and n.startswith(("src/", "include/", "tests/"))]


def read_lines(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        return f.read().splitlines()


def finish(problems, what):
    """Prints the problems, and yields the exit status."""
    for problem in problems:
        print(problem)
    print("%s: %s" % (what, "%d problems" % len(problems) if problems else "good"))
    return 1 if problems else 0
