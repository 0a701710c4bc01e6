import base64
import faulthandler
import hashlib
import json

import ldb
from samba.auth import system_session
from samba.auth_util import system_session_unix
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.ntacls import getntacl
from samba.param import LoadParm
from samba.samba3 import param as s3param
from samba.samdb import SamDB

# These are bytes by their schema, even where the bytes happen to read as text.
BINARY = {
    "objectguid",
    "objectsid",
    "ntsecuritydescriptor",
    "productcode",
    "upgradeproductcode",
    "msiscript",
    "replpropertymetadata",
}
ALL_DESCRIPTOR = "sd_flags:1:15"


def value(attribute, raw):
    if attribute.lower() not in BINARY:
        try:
            text = raw.decode("utf-8")
            if text.isprintable() or attribute.lower() == "displayname":
                return text
        except UnicodeDecodeError:
            pass
    return {"base64": base64.b64encode(raw).decode("ascii")}


def gpt_ini(folder):
    """The bytes of GPT.INI, in base64."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in names:
        if name.lower() == "gpt.ini":
            with open(os.path.join(folder, name), "rb") as file:
                return base64.b64encode(file.read()).decode("ascii")
    return None


class State:
    def __init__(self):
        self.lp = LoadParm()
        self.lp.load_default()
        s3param.get_context().load(self.lp.configfile)
        self.samdb = SamDB(session_info=system_session(), lp=self.lp)
        self.domain_dn = str(self.samdb.domain_dn())
        self.domain_sid = security.dom_sid(self.samdb.get_domain_sid())
        self.session = system_session_unix()
        self.dns_name = self.lp.get("realm").lower()

    def search(self, base, scope, expression=None, attributes=("*", "nTSecurityDescriptor")):
        found = self.samdb.search(
            base, scope=scope, expression=expression, attrs=list(attributes), controls=[ALL_DESCRIPTOR]
        )
        return sorted(found, key=lambda message: str(message.dn).lower())

    def entry(self, message):
        attributes = {
            name: sorted((value(name, bytes(raw)) for raw in message[name]), key=str)
            for name in sorted(message.keys(), key=str.lower)
            if name != "dn"
        }
        out = {"dn": str(message.dn), "attributes": attributes}
        if "nTSecurityDescriptor" in message:
            descriptor = ndr_unpack(security.descriptor, message["nTSecurityDescriptor"][0])
            out["sddl"] = descriptor.as_sddl(self.domain_sid)
        return out

    def file(self, path, root):
        name = os.path.relpath(path, root)
        out = {"path": "" if name == "." else name, "kind": "folder" if os.path.isdir(path) else "file"}
        if out["kind"] == "file":
            with open(path, "rb") as file:
                data = file.read()
            out["size"] = len(data)
            out["sha256"] = hashlib.sha256(data).hexdigest()
        descriptor = getntacl(self.lp, path, self.session, direct_db_access=False, service="sysvol")
        out["sddl"] = descriptor.as_sddl(self.domain_sid)
        try:
            out["posix_acl"] = base64.b64encode(os.getxattr(path, "system.posix_acl_access")).decode("ascii")
        except OSError:
            out["posix_acl"] = None
        return out

    def tree(self, root):
        if not os.path.isdir(root):
            return None
        paths = [root]
        for folder, folders, files in os.walk(root):
            paths += [os.path.join(folder, name) for name in folders + files]
        return [self.file(path, root) for path in sorted(paths)]

    def gpo(self, message):
        guid = str(message["cn"][0])
        out = self.entry(message)
        out["children"] = [
            self.entry(child)
            for child in self.search(message.dn, ldb.SCOPE_SUBTREE)
            if child.dn != message.dn
        ]
        folder = os.path.join(SYSVOL, self.dns_name, "Policies", guid)
        out["sysvol"] = self.tree(folder)
        out["gpt_ini"] = gpt_ini(folder)
        return guid, out


    def report(self, wanted):
        """Everything; of the GPOs only these, or all if none is named."""
        policies = f"CN=Policies,CN=System,{self.domain_dn}"
        found = self.search(policies, ldb.SCOPE_ONELEVEL, "(objectClass=groupPolicyContainer)")
        gpos = dict(self.gpo(message) for message in found if not wanted or str(message["cn"][0]).upper() in wanted)
        missing = wanted - {guid.upper() for guid in gpos}
        folder = os.path.join(SYSVOL, self.dns_name, "Policies")
        links = {}
        for base in (self.domain_dn, f"CN=Sites,CN=Configuration,{self.domain_dn}"):
            for message in self.search(base, ldb.SCOPE_SUBTREE, "(gPLink=*)", ("gPLink", "gPOptions")):
                links[str(message.dn)] = {name: str(message[name][0]) for name in message.keys() if name != "dn"}
        filters = [
            self.entry(message)
            for message in self.search(
                f"CN=SOM,CN=WMIPolicy,CN=System,{self.domain_dn}", ldb.SCOPE_ONELEVEL, "(objectClass=msWMI-Som)"
            )
        ]
        return {
            "domain": self.dns_name,
            "domain_sid": str(self.domain_sid),
            "gpos": gpos,
            "missing": sorted(missing),
            "policies_folder": sorted(os.listdir(folder)),
            "links": links,
            "wmi_filters": filters,
        }


def show(report, **layout):
    json.dump(report, sys.stdout, ensure_ascii=False, sort_keys=True, **layout)
    print(flush=True)


def each_line(state):
    """A report for every line of standard input."""
    for line in sys.stdin:
        # A fork may not use the database that is open, so this process ends itself, and shows where it is.
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        while True:
            try:
                report = state.report(set(line.upper().split()))
                break
            except FileNotFoundError:
                # A file was deleted after its folder was listed.
                continue
        show(report)
        faulthandler.cancel_dump_traceback_later()


def main():
    state = State()
    if sys.argv[1:] == ["-"]:
        each_line(state)
    else:
        show(state.report({name.upper() for name in sys.argv[1:]}), indent=1)


main()
