"""SYSVOL's security descriptors: exactly those that `samba-tool ntacl sysvolcheck` derives from the directory."""

import inspect
import os

import ldb
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.ntacls import dsacl2fsacl, setntacl
from samba.provision import setsysvolacl
from samba.samba3 import param as s3param
from samba.samba3 import passdb
from samba.auth_util import system_session_unix

SYSVOL = "/var/lib/samba/sysvol"


def set_descriptors(domain):
    lp = domain.lp
    samdb = domain.samdb
    sid = security.dom_sid(domain.sid)

    s3conf = s3param.get_context()
    s3conf.load(lp.configfile)
    s3conf.set("passdb backend", f"samba_dsdb:{samdb.url}")
    database = passdb.PDB(s3conf.get("passdb backend"))
    administrator, _ = database.sid_to_id(security.dom_sid(f"{domain.sid}-{security.DOMAIN_RID_ADMINISTRATOR}"))
    administrators, _ = database.sid_to_id(security.dom_sid(security.SID_BUILTIN_ADMINISTRATORS))
    places = [SYSVOL]
    if "netlogon" in inspect.signature(setsysvolacl).parameters:
        # Samba 4.17; later versions find it themselves.
        places.insert(0, lp.get("path", "netlogon"))
    setsysvolacl(
        samdb, *places, administrator, administrators, sid, domain.dns_name, domain.dn, lp, use_ntvfs=False
    )

    # With an object ACE in it, a descriptor leaves the POSIX ACL as it was, and a delegated editor stays locked
    # out. So each is set once without object ACEs and then as it must be. Samba 4.25 wants none with object ACEs.
    session = system_session_unix()
    policies = samdb.search(
        f"CN=Policies,CN=System,{domain.dn}",
        scope=ldb.SCOPE_ONELEVEL,
        attrs=["cn", "nTSecurityDescriptor"],
        controls=["sd_flags:1:7"],
    )
    for policy in policies:
        descriptor = ndr_unpack(security.descriptor, policy["nTSecurityDescriptor"][0])
        wanted = dsacl2fsacl(descriptor.as_sddl(), sid)
        plain = without_object_aces(wanted, sid)
        folder = os.path.join(SYSVOL, domain.dns_name, "Policies", str(policy["cn"]))
        for path in everything_below(folder):
            for sddl in dict.fromkeys((plain, wanted)):
                setntacl(
                    lp,
                    path,
                    sddl,
                    domain.sid,
                    session,
                    use_ntvfs=False,
                    skip_invalid_chown=True,
                    passdb=database,
                    service="sysvol",
                )


def without_object_aces(sddl, sid):
    descriptor = security.descriptor.from_sddl(sddl, sid)
    plain = security.descriptor.from_sddl(sddl.split("D:", 1)[0] + "D:P", sid)
    for ace in descriptor.dacl.aces:
        if ace.type != security.SEC_ACE_TYPE_ACCESS_ALLOWED_OBJECT:
            plain.dacl_add(ace)
    return plain.as_sddl(sid)


def everything_below(folder):
    yield folder
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            yield os.path.join(root, name)
