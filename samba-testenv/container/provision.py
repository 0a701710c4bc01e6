#!/usr/bin/env python3
"""Provision the domain of this container and seed it, all before Samba starts.

The databases are opened directly (as samba-tool does on a DC), so one process does everything and no
password appears in an argument list.
"""

import logging
import os
import sys
import time

from samba.auth import system_session
from samba.param import LoadParm
from samba.provision import FILL_FULL, provision
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from seed_directory import seed_directory  # noqa: E402
from seed_gpos import seed_gpos  # noqa: E402
from seed_sysvol import set_descriptors  # noqa: E402

STATE = "/lab-state"
START = time.monotonic()


def say(text):
    print(f"provision: {text} ({time.monotonic() - START:.1f} s)", flush=True)


def password(name):
    with open(f"{STATE}/{name}.password", encoding="ascii") as file:
        return file.read()


def main():
    realm = os.environ["LAB_REALM"]
    logging.basicConfig(level=logging.WARNING)
    lp = LoadParm()
    lp.set("realm", realm)
    lp.set("workgroup", os.environ["LAB_NETBIOS"])
    lp.set("server role", "active directory domain controller")
    result = provision(
        logging.getLogger("provision"),
        system_session(),
        smbconf="/etc/samba/smb.conf",
        realm=realm,
        domain=os.environ["LAB_NETBIOS"],
        hostname="dc1",
        hostip=os.environ.get("LAB_ADDRESS"),
        adminpass=password("admin"),
        dns_backend="SAMBA_INTERNAL",
        serverrole="active directory domain controller",
        dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
        samdb_fill=FILL_FULL,
        skip_sysvolacl=True,
        batch_mode=True,
        lp=lp,
    )
    say("provisioned")
    domain = seed_directory(result, password)
    say("directory seeded")
    seed_gpos(domain)
    say("GPOs seeded")
    set_descriptors(domain)
    say("SYSVOL descriptors set")


if __name__ == "__main__":
    main()
