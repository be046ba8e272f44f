"""What the disk below must do: hold locks (https://sqlite.org/faq.html#q5), and keep what was written."""

from __future__ import annotations

import os
from pathlib import Path

from engrain.errors import StoreUnavailable

_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "afs",
    "ncpfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "glusterfs",
}


def refuse_network_folder(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Raise StoreUnavailable when the folder lies on a network file system. Where the mounts cannot be read (macOS,
    Windows) nothing is known, so nothing is refused."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    path = str(folder.absolute())
    best, kind = "", ""
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = parts[1].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, parts[2]
    if kind in _NETWORK:
        raise StoreUnavailable(
            f"{folder} lies on a network file system ({kind}), where file locks are not safe. "
            "Use a local folder, or a PostgreSQL URL to share a store."
        )


def settle(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
