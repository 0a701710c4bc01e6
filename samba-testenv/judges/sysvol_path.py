"""Put in front of every judge: find a file below the share sysvol as SMB would, whatever the case of its name."""

import os
import sys

SYSVOL = "/var/lib/samba/sysvol"


def domain_folder():
    return next(name for name in os.listdir(SYSVOL) if "." in name)


def locate(path):
    parts = [part for part in path.replace("\\", "/").split("/") if part]
    if parts and parts[0].startswith("{"):
        parts = [domain_folder(), "Policies", *parts]
    at = SYSVOL
    for part in parts:
        if part in ("..", "."):
            sys.exit(f"judge: {path!r} leaves the share sysvol")
        try:
            names = os.listdir(at)
        except NotADirectoryError:
            names = []
        found = part if part in names else next((name for name in names if name.lower() == part.lower()), None)
        if found is None:
            sys.exit(f"judge: there is no {part!r} in {at}")
        at = os.path.join(at, found)
    return at


def contents(path):
    if path == "-":
        return sys.stdin.buffer.read()
    with open(locate(path), "rb") as file:
        return file.read()
