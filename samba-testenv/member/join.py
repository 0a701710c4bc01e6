#!/usr/bin/env python3
"""Join the domain as `samba-tool domain join … MEMBER` does, with the seeded password; no password is in an argument list."""

import os

from samba.credentials import Credentials
from samba.net_s3 import Net
from samba.param import LoadParm
from samba.samba3 import param as s3param


def password(name):
    with open(f"/dc-state/{name}.password", encoding="ascii") as file:
        return file.read()


def main():
    lp = LoadParm()
    lp.load_default()
    credentials = Credentials()
    credentials.guess(lp)
    credentials.set_username("Administrator")
    credentials.set_password(password("admin"))
    s3_lp = s3param.get_context()
    s3_lp.load(lp.configfile)
    server = f"dc1.{os.environ['LAB_REALM'].lower()}"
    sid, domain = Net(credentials, s3_lp, server=server).join_member(
        lp.get("netbios name"), machinepass=password("member"), noDnsUpdates=True
    )
    print(f"joined {domain} ({sid})", flush=True)


if __name__ == "__main__":
    main()
