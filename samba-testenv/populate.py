"""Many GPOs in a running domain controller, made of the seed's own templates: python3 - N, and python3 - 0 to remove them.

The database and SYSVOL are written directly, all objects in one transaction. The files get no descriptors of their own:
an administrator reads them, and `samba-tool ntacl sysvolcheck` is not content while they are there.
"""

import os
import shutil
import sys
import time
from types import SimpleNamespace

import ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

LIBRARY = "/usr/local/lib/gpoctl-lab"
sys.path.insert(0, LIBRARY)
import seed_gpos  # noqa: E402
from seed_directory import Domain, load, open_as_administrator  # noqa: E402

# Every GPO made here has a GUID that begins like this, and no other has.
PREFIX = "{5CA1E000-"
# What a GPO is made of, in turn; a third of them are small, as in real domains.
MIXES = [
    ["registry"],
    [],
    ["security", "audit"],
    ["registry"],
    ["scripts"],
    [],
    ["preferences"],
    ["registry", "security"],
    ["redirection"],
    ["registry", "scripts", "preferences"],
]
LINKED_TO = "OU=Workstations"


def guid_of(number):
    return f"{PREFIX}0000-4000-8000-{number:012X}}}"


def open_domain():
    lp = LoadParm()
    lp.load_default()
    system = SamDB(session_info=system_session(), lp=lp)
    paths = SimpleNamespace(samdb=system.url)
    samdb = open_as_administrator(SimpleNamespace(lp=lp, samdb=system, paths=paths))
    domain = Domain(
        samdb=samdb,
        lp=lp,
        dns_name=lp.get("realm").lower(),
        netbios=lp.get("workgroup"),
        dn=str(samdb.domain_dn()),
        sid=str(samdb.get_domain_sid()),
    )
    # The templates ask for principals by their names in the seed.
    for entry in samdb.search(domain.dn, expression="(objectSid=*)", attrs=["cn", "sAMAccountName", "objectSid"]):
        sid = str(ndr_unpack(security.dom_sid, entry["objectSid"][0]))
        for name in ("cn", "sAMAccountName"):
            if name in entry:
                domain.sids.setdefault(str(entry[name][0]), sid)
    for entry in load("directory.json")[domain.dns_name]["principals"]:
        domain.sids[entry.get("key", entry["name"])] = domain.sids[entry["name"]]
    return domain


def gpo(number):
    files = {f"Machine\\notes {number % 7}.txt".replace("\\", "/"): f"GPO {number} of {{{{DOMAIN}}}}\r\n" * (1 + number % 50)}
    if number % 100 == 50:
        files["User/Scripts/Logon/large.cmd"] = f"rem {number}\r\n" * 20000
    if number % 3 == 0:
        files = {}
    return {
        "guid": guid_of(number),
        "name": f"Scale {number:04d}",
        "parts": MIXES[number % len(MIXES)],
        "files": files,
        "version": {"user": number % 5, "machine": 1 + number % 90},
        "flags": number % 3 if number % 10 == 0 else 0,
    }


def populate(domain, count):
    samdb = domain.samdb
    extensions = load("gpos.json")["part_extensions"]
    samdb.transaction_start()
    for number in range(1, count + 1):
        seed_gpos.add_gpo(domain, gpo(number), extensions)
    linked = [(guid_of(number), number % 4) for number in range(1, count + 1) if number % 20 == 0]
    seed_gpos.add_links(domain, f"{LINKED_TO},{domain.dn}", linked)
    samdb.transaction_commit()
    # What root makes is for everybody to read, as on SYSVOL.
    for number in range(1, count + 1):
        for root, _, names in os.walk(seed_gpos.gpo_folder(domain, guid_of(number))):
            os.chmod(root, 0o755)
            for name in names:
                os.chmod(os.path.join(root, name), 0o644)


def remove(domain):
    samdb = domain.samdb
    policies = f"CN=Policies,CN=System,{domain.dn}"
    samdb.transaction_start()
    for som in samdb.search(domain.dn, expression="(gPLink=*)", attrs=["gPLink"]):
        links = ["[" + link for link in str(som["gPLink"][0]).split("[") if link]
        kept = [link for link in links if PREFIX.lower() not in link.lower()]
        if len(kept) < len(links):
            change = ldb.Message(som.dn)
            value = ["".join(kept)] if kept else []
            change["gPLink"] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, "gPLink")
            samdb.modify(change)
    for found in samdb.search(policies, scope=ldb.SCOPE_ONELEVEL, attrs=["cn"]):
        if str(found["cn"][0]).upper().startswith(PREFIX):
            samdb.delete(found.dn, ["tree_delete:1"])
    samdb.transaction_commit()
    folder = os.path.join(seed_gpos.SYSVOL, domain.dns_name, "Policies")
    for name in os.listdir(folder):
        if name.upper().startswith(PREFIX):
            shutil.rmtree(os.path.join(folder, name))


def main():
    count = int(sys.argv[1])
    begin = time.monotonic()
    domain = open_domain()
    remove(domain)
    populate(domain, count) if count else None
    print(f"populate: {count} GPOs in {domain.dns_name} ({time.monotonic() - begin:.1f} s)")


main()
