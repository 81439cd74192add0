"""A file system of our own for one test: small, so that it can be filled, and remounted read-only.

    with SmallDisk(folder, mount_point, "24M") as disk:
        disk.fill(); disk.release(); disk.remount("ro")

An ext4 in a file, mounted by a loop device: that needs root, mkfs.ext4 and a kernel that has both;
`Unavailable` says which is missing. Unmounted when the context ends.
"""

import os
import pathlib
import shutil
import subprocess


class Unavailable(Exception):
    """This host cannot do it; the text says why."""


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]}: {(done.stderr or done.stdout).strip()}")


class SmallDisk:
    def __init__(self, folder, mount_point, size):
        self.image = pathlib.Path(folder) / "disk.img"
        self.mount_point = pathlib.Path(mount_point)
        self.filler = self.mount_point / "filler"
        self.size = size

    def __enter__(self):
        if os.geteuid() != 0:
            raise Unavailable("mounting needs root")
        if shutil.which("mkfs.ext4") is None:
            raise Unavailable("mkfs.ext4 is not installed")
        self.mount_point.mkdir(parents=True, exist_ok=True)
        run("truncate", "-s", self.size, self.image)
        # Without blocks that only root may use: what is free for us is free for everybody.
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        run("mount", "-o", "loop", self.image, self.mount_point)
        return self

    def __exit__(self, *_):
        # A process that is about to go may still be there; the image goes with the folder.
        subprocess.run(["umount", "--lazy", str(self.mount_point)], check=False)

    def remount(self, how):
        """`how` is "ro" or "rw"."""
        run("mount", "-o", f"remount,{how}", self.mount_point)

    def free_bytes(self):
        status = os.statvfs(self.mount_point)
        return status.f_bavail * status.f_frsize

    def fill(self, leave_bytes=0):
        """Takes what is free but for so many bytes, as somebody else's file would."""
        with open(self.filler, "ab", buffering=0) as file:
            block = bytes(1 << 16)
            while True:
                left = self.free_bytes() - leave_bytes
                if left <= 0:
                    break
                try:
                    file.write(block[:min(left, len(block))])
                except OSError:
                    break
            os.fsync(file.fileno())

    def release(self):
        self.filler.unlink()
        os.sync()
