"""Organizational units, users, groups and computers, from seed/directory.json."""

import json
import os
from dataclasses import dataclass, field

import ldb
from samba import auth
from samba.dcerpc import security
from samba.dsdb import (
    GTYPE_SECURITY_DOMAIN_LOCAL_GROUP,
    GTYPE_SECURITY_GLOBAL_GROUP,
    GTYPE_SECURITY_UNIVERSAL_GROUP,
    UF_DONT_EXPIRE_PASSWD,
    UF_NORMAL_ACCOUNT,
)
from samba.ndr import ndr_unpack
from samba.samdb import SamDB

SEED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seed")
SCOPES = {
    "global": GTYPE_SECURITY_GLOBAL_GROUP,
    "universal": GTYPE_SECURITY_UNIVERSAL_GROUP,
    "domain local": GTYPE_SECURITY_DOMAIN_LOCAL_GROUP,
}
# A cached lab may be started again after months: no password of it runs out.
NORMAL_FOR_EVER = str(UF_NORMAL_ACCOUNT | UF_DONT_EXPIRE_PASSWD)


@dataclass
class Domain:
    """An open domain and what the templates may ask of it."""

    samdb: SamDB
    lp: object
    dns_name: str
    netbios: str
    dn: str
    sid: str
    sids: dict = field(default_factory=dict)

    def read_sid(self, dn):
        found = self.samdb.search(dn, scope=ldb.SCOPE_BASE, attrs=["objectSid"])
        return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))


def load(name):
    with open(os.path.join(SEED, name), encoding="utf-8") as file:
        return json.load(file)


def open_as_administrator(provisioned):
    """The same database with Administrator's session, so that owners and defaults are as in real life."""
    lp = provisioned.lp
    system = provisioned.samdb
    sid = system.get_domain_sid()
    flags = (
        auth.AUTH_SESSION_INFO_DEFAULT_GROUPS
        | auth.AUTH_SESSION_INFO_AUTHENTICATED
        | auth.AUTH_SESSION_INFO_SIMPLE_PRIVILEGES
    )
    session = auth.user_session(
        system, lp_ctx=lp, dn=f"<SID={sid}-{security.DOMAIN_RID_ADMINISTRATOR}>", session_info_flags=flags
    )
    return SamDB(url=provisioned.paths.samdb, session_info=session, lp=lp)


def seed_directory(provisioned, password):
    samdb = open_as_administrator(provisioned)
    domain = Domain(
        samdb=samdb,
        lp=provisioned.lp,
        dns_name=provisioned.names.dnsdomain,
        netbios=provisioned.names.domain,
        dn=str(samdb.domain_dn()),
        sid=str(samdb.get_domain_sid()),
    )
    wanted = load("directory.json")[domain.dns_name]

    samdb.transaction_start()
    for name in wanted["organizational_units"]:
        samdb.add({"dn": f"{name},{domain.dn}", "objectClass": "organizationalUnit"})

    # The order in the file is the order of creation, and so of the RIDs.
    for entry in wanted["principals"]:
        add_principal(domain, entry, password)
    for name in ("Administrator", "Domain Admins", "Domain Users", "Domain Computers", "Enterprise Admins"):
        domain.sids[name] = domain.read_sid(f"CN={name},CN=Users,{domain.dn}")
    change = ldb.Message(ldb.Dn(samdb, f"CN=Administrator,CN=Users,{domain.dn}"))
    change["userAccountControl"] = ldb.MessageElement(NORMAL_FOR_EVER, ldb.FLAG_MOD_REPLACE, "userAccountControl")
    samdb.modify(change)
    samdb.transaction_commit()
    return domain


def add_principal(domain, entry, password):
    samdb = domain.samdb
    name = entry["name"]
    account = entry.get("account", name)
    parent = ",".join(filter(None, [entry.get("in"), domain.dn]))
    dn = ldb.Dn(samdb, parent)
    dn.add_child(ldb.Dn(samdb, "CN=x"))
    dn.set_component(0, "CN", name)
    kind = entry["kind"]
    if kind == "group":
        samdb.add(
            {
                "dn": str(dn),
                "objectClass": "group",
                "sAMAccountName": account,
                "groupType": str(SCOPES[entry["scope"]]),
            }
        )
    elif kind == "user":
        samdb.add(
            {
                "dn": str(dn),
                "objectClass": "user",
                "sAMAccountName": account,
                "userPrincipalName": f"{account}@{domain.dns_name}",
                "displayName": entry.get("display_name", name),
                "userAccountControl": NORMAL_FOR_EVER,
                "unicodePwd": f'"{password(entry.get("password", "users"))}"'.encode("utf-16-le"),
            }
        )
    elif kind == "computer":
        host = f"{name.lower()}.{domain.dns_name}"
        computer = {
            "dn": str(dn),
            "objectClass": "computer",
            "sAMAccountName": f"{account}$",
            "dNSHostName": host,
            "userAccountControl": "4096",
        }
        # One that really runs.
        if "password" in entry:
            computer["unicodePwd"] = f'"{password(entry["password"])}"'.encode("utf-16-le")
            computer["servicePrincipalName"] = [f"HOST/{name.upper()}", f"HOST/{host}"]
        samdb.add(computer)
    else:
        raise ValueError(f"unknown kind {kind!r} of {name!r} in directory.json")
    # `key` names principals that are called differently in the two domains.
    sid = domain.read_sid(dn)
    domain.sids[name] = sid
    domain.sids[entry.get("key", name)] = sid
    members = [domain.sids[member] for member in entry.get("members", [])]
    if members:
        add_members(samdb, dn, members)
    for group in entry.get("member_of", []):
        add_members(samdb, ldb.Dn(samdb, f"<SID={domain.sids[group]}>"), [sid])


def add_members(samdb, group, sids):
    change = ldb.Message(group)
    change["member"] = ldb.MessageElement([f"<SID={sid}>" for sid in sids], ldb.FLAG_MOD_ADD, "member")
    samdb.modify(change)
