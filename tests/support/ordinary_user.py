"""A script again, as an ordinary user who exists only for it.

    if os.geteuid() == 0:
        sys.exit(ordinary_user.run_again(sys.argv))

Root makes a mount namespace in which the files of accounts have one user more, with ids of his own to give to
containers (subuid, subgid), and runs the script there as that user, with an empty home. Nothing of the host's own
files is touched; processes that he leaves are ended, and told by the exit code.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

NAME = "taskpipe-ordinary"
UID, GID = 64331, 64332
FIRST_SUB_ID, SUB_IDS = 2_000_000_000, 65536
LEFT_STATUS = 3
KEPT = b"catatonit\0-P\0"  # Podman's, which holds its user's namespace for as long as he is there

# $1: the folder; then the command. What the script reads is seen there, wherever the checkout is.
ENTER = """\
set -e
folder=$1 source=$2; shift 2
for file in passwd group subuid subgid; do mount --bind "$folder/etc/$file" "/etc/$file"; done
mount --bind "$source" "$folder/source"
cd "$folder/home"
exec setpriv --reuid %d --regid %d --clear-groups --inh-caps=-all -- "$@"
""" % (UID, GID)


def write_accounts(folder):
    lines = {"passwd": f"{NAME}:x:{UID}:{GID}::{folder}/home:/bin/sh", "group": f"{NAME}:x:{GID}:",
             "subuid": f"{NAME}:{FIRST_SUB_ID}:{SUB_IDS}", "subgid": f"{NAME}:{FIRST_SUB_ID}:{SUB_IDS}"}
    (folder / "etc").mkdir()
    for name, line in lines.items():
        host = pathlib.Path("/etc", name)
        (folder / "etc" / name).write_text(host.read_text("utf-8") + line + "\n", "utf-8")


def processes():
    """(pid, command line) of this user's, and of the ids that he gives to containers."""
    mine = {UID, *range(FIRST_SUB_ID, FIRST_SUB_ID + SUB_IDS)}
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if command and folder.stat().st_uid in mine:
                found.append((int(folder.name), command))
        except OSError:
            continue
    return found


def seen_from_there(word, root, folder):
    """An argument that names a file of the checkout, as the user finds it."""
    path = pathlib.Path(word).resolve()
    if word.startswith("-") or not path.exists() or not path.is_relative_to(root):
        return word
    return folder / "source" / path.relative_to(root)


def run(folder, root, argv):
    """The script's exit code. A SIGTERM is the script's to obey."""
    environment = {"PATH": os.environ["PATH"], "HOME": f"{folder}/home", "USER": NAME, "LANG": "C.UTF-8",
                   "XDG_RUNTIME_DIR": f"{folder}/run", "PYTHONDONTWRITEBYTECODE": "1"}
    words = [seen_from_there(word, root, folder) for word in argv]
    child = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", ENTER, "sh",
                              folder, root, sys.executable, *words], env=environment)
    former = signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    try:
        return child.wait()
    finally:
        signal.signal(signal.SIGTERM, former)


def run_again(argv):
    """Its exit code. `argv`: of the script, which lies in this checkout."""
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="taskpipe-ordinary-"))
    try:
        folder.chmod(0o755)
        write_accounts(folder)
        for name in ("home", "run", "source"):
            (folder / name).mkdir(mode=0o700)
            os.chown(folder / name, UID, GID)
        status = run(folder, root, argv)
        left = []
        for pid, command in processes():
            os.kill(pid, signal.SIGKILL)
            if command != KEPT:
                left.append(command)
        for command in left:
            print(f"left: {command!r}", flush=True)
        return status or (LEFT_STATUS if left else 0)
    finally:
        shutil.rmtree(folder)
