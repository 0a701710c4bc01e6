"""Group Policy Objects, WMI filters and links, from seed/gpos.json and the templates in seed/parts/."""

import json
import os
import re
import struct

import ldb
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack

from seed_directory import SEED, load
from seed_software import add_packages

SYSVOL = "/var/lib/samba/sysvol"
PREFERENCES = "{00000000-0000-0000-0000-000000000000}"
REGISTRY_TYPES = {
    "REG_NONE": 0,
    "REG_SZ": 1,
    "REG_EXPAND_SZ": 2,
    "REG_BINARY": 3,
    "REG_DWORD": 4,
    "REG_MULTI_SZ": 7,
    "REG_QWORD": 11,
}
SECURITY_INFORMATION = security.SECINFO_OWNER | security.SECINFO_GROUP | security.SECINFO_DACL


def seed_gpos(domain):
    wanted = load("gpos.json")
    part_extensions = wanted["part_extensions"]
    mine = wanted[domain.dns_name]
    samdb = domain.samdb
    links = {}

    samdb.transaction_start()
    for wmi_filter in mine["wmi_filters"]:
        add_wmi_filter(domain, wmi_filter)
    for gpo in mine["gpos"]:
        add_gpo(domain, gpo, part_extensions)
        for link in gpo.get("links", []):
            som = ",".join(filter(None, [link["som"], domain.dn]))
            links.setdefault(som, []).append((gpo["guid"], link.get("options", 0)))
    for som, entries in links.items():
        add_links(domain, som, entries)
    for som in mine.get("block_inheritance", []):
        change = ldb.Message(ldb.Dn(samdb, f"{som},{domain.dn}"))
        change["gPOptions"] = ldb.MessageElement("1", ldb.FLAG_MOD_REPLACE, "gPOptions")
        samdb.modify(change)
    samdb.transaction_commit()


def fill(domain, text):
    """Put this domain's names and SIDs into a template: {{SID:name}}, {{sid:name}} (lower case), {{DOMAIN}}, …"""

    def value(match):
        word = match.group(1)
        if word.startswith("SID:"):
            return domain.sids[word[4:]]
        if word.startswith("sid:"):
            return domain.sids[word[4:]].lower()
        return {
            "DOMAIN": domain.dns_name,
            "NETBIOS": domain.netbios,
            "DOMAIN_SID": domain.sid,
        }[word]

    return re.sub(r"\{\{([^{}]+)\}\}", value, text)


def gpo_dn(domain, guid):
    return f"CN={guid},CN=Policies,CN=System,{domain.dn}"


def gpo_folder(domain, guid):
    return os.path.join(SYSVOL, domain.dns_name, "Policies", guid)


def add_gpo(domain, gpo, part_extensions):
    samdb = domain.samdb
    guid = gpo["guid"]
    dn = gpo_dn(domain, guid)
    version = gpo["version"]["user"] * 65536 + gpo["version"]["machine"]
    message = {
        "dn": dn,
        "objectClass": "groupPolicyContainer",
        "displayName": gpo["name"],
        "gPCFunctionalityVersion": "2",
        "gPCFileSysPath": f"\\\\{domain.dns_name}\\sysvol\\{domain.dns_name}\\Policies\\{guid}",
        "flags": str(gpo.get("flags", 0)),
        "versionNumber": str(version),
        "showInAdvancedViewOnly": "TRUE",
    }
    for half, attribute in (("machine", "gPCMachineExtensionNames"), ("user", "gPCUserExtensionNames")):
        names = extension_names(gpo["parts"], half, part_extensions)
        if names:
            message[attribute] = names
    if "wmi_filter" in gpo:
        message["gPCWQLFilter"] = f"[{domain.dns_name};{gpo['wmi_filter']};0]"
    samdb.add(message)
    for half in ("User", "Machine"):
        samdb.add({"dn": f"CN={half},{dn}", "objectClass": "container", "showInAdvancedViewOnly": "TRUE"})
    if "dacl" in gpo:
        add_aces(domain, dn, fill(domain, gpo["dacl"]))

    folder = gpo_folder(domain, guid)
    os.makedirs(os.path.join(folder, "Machine"))
    os.makedirs(os.path.join(folder, "User"))
    for part in gpo["parts"]:
        copy_part(domain, os.path.join(SEED, "parts", part), folder)
    add_packages(domain, gpo, dn, lambda name, data: write(os.path.join(folder, name), data))
    for extra in gpo.get("folders", []):
        os.makedirs(os.path.join(folder, extra), exist_ok=True)
    for name, text in gpo.get("files", {}).items():
        write(os.path.join(folder, name), fill(domain, text).encode("utf-8"))
    if "comment" in gpo:
        write(os.path.join(folder, "GPO.cmt"), gpo["comment"].encode("utf-16-le"))
    write(os.path.join(folder, "GPT.INI"), f"[General]\r\nVersion={version}\r\n".encode("ascii"))


def extension_names(parts, half, part_extensions):
    """[MS-GPOL 2.2.4] the list sorted by extension; the Preferences' tools stand once more in front."""
    tools = {}
    for part in parts:
        for extension, own_tools in part_extensions[part].get(half, {}).items():
            tools.setdefault(extension.upper(), set()).update(tool.upper() for tool in own_tools)
            if part_extensions[part].get("preferences"):
                tools.setdefault(PREFERENCES, set()).update(tool.upper() for tool in own_tools)
    return "".join(f"[{extension}{''.join(sorted(tools[extension]))}]" for extension in sorted(tools))


def add_aces(domain, dn, sddl):
    """Add ACEs to the object's DACL: denying ones in front, granting ones at the end."""
    samdb = domain.samdb
    found = samdb.search(
        dn,
        scope=ldb.SCOPE_BASE,
        attrs=["nTSecurityDescriptor"],
        controls=[f"sd_flags:1:{SECURITY_INFORMATION}"],
    )
    descriptor = ndr_unpack(security.descriptor, found[0]["nTSecurityDescriptor"][0])
    extra = security.descriptor.from_sddl(f"D:{sddl}", security.dom_sid(domain.sid))
    denied = 0
    for ace in extra.dacl.aces:
        if ace.type in (security.SEC_ACE_TYPE_ACCESS_DENIED, security.SEC_ACE_TYPE_ACCESS_DENIED_OBJECT):
            descriptor.dacl_add(ace, denied)
            denied += 1
        else:
            descriptor.dacl_add(ace)
    change = ldb.Message(ldb.Dn(samdb, dn))
    change["nTSecurityDescriptor"] = ldb.MessageElement(
        ndr_pack(descriptor), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor"
    )
    samdb.modify(change, controls=[f"sd_flags:1:{security.SECINFO_DACL}"])


def add_wmi_filter(domain, wmi_filter):
    guid = wmi_filter["guid"]
    query = wmi_filter["query"]
    message = {
        "dn": f"CN={guid},CN=SOM,CN=WMIPolicy,CN=System,{domain.dn}",
        "objectClass": "msWMI-Som",
        "msWMI-ID": guid,
        "msWMI-Name": wmi_filter["name"],
        "msWMI-Parm2": f"1;3;10;{len(query)};WQL;root\\CIMv2;{query};",
        "msWMI-Author": f"Administrator@{domain.dns_name}",
        "msWMI-CreationDate": "20240105101500.000000-000",
        "msWMI-ChangeDate": "20240105101500.000000-000",
        "showInAdvancedViewOnly": "TRUE",
    }
    # An empty description is stored as no attribute at all.
    if wmi_filter["description"]:
        message["msWMI-Parm1"] = wmi_filter["description"]
    domain.samdb.add(message)


def add_links(domain, som, entries):
    samdb = domain.samdb
    found = samdb.search(som, scope=ldb.SCOPE_BASE, attrs=["gPLink"])
    link = str(found[0]["gPLink"][0]) if "gPLink" in found[0] else ""
    # The first entry of gPLink has the lowest priority; order as Windows writes it.
    for guid, options in entries:
        link = f"[LDAP://cn={guid},cn=policies,cn=system,{domain.dn};{options}]" + link
    change = ldb.Message(ldb.Dn(samdb, som))
    change["gPLink"] = ldb.MessageElement(link, ldb.FLAG_MOD_REPLACE, "gPLink")
    samdb.modify(change)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def crlf(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def copy_part(domain, part, folder):
    """Copy a folder of templates; each kind of file gets the encoding that Windows gives it."""
    for root, _, names in os.walk(part):
        for name in names:
            source = os.path.join(root, name)
            target = os.path.join(folder, os.path.relpath(source, part))
            lower = name.lower()
            with open(source, encoding="utf-8") as file:
                text = fill(domain, file.read())
            if lower == "registry.pol.json":
                write(target.removesuffix(".json"), registry_pol(json.loads(text)))
            elif lower.endswith((".inf", ".ini")):
                write(target, b"\xff\xfe" + crlf(text).encode("utf-16-le"))
            else:
                write(target, crlf(text).encode("utf-8"))


def registry_pol(entries):
    """[MS-GPREG 2.2.1] PReg, version 1, then [key;value;type;size;data] in UTF-16LE."""

    def wide(text):
        return text.encode("utf-16-le")

    out = bytearray(b"PReg" + struct.pack("<I", 1))
    for key, value, kind, data in entries:
        if kind in ("REG_SZ", "REG_EXPAND_SZ"):
            raw = wide(data + "\0")
        elif kind == "REG_MULTI_SZ":
            raw = wide("".join(item + "\0" for item in data) + "\0")
        elif kind == "REG_DWORD":
            raw = struct.pack("<I", data)
        elif kind == "REG_QWORD":
            raw = struct.pack("<Q", data)
        elif kind in ("REG_BINARY", "REG_NONE"):
            raw = bytes.fromhex(data)
        else:
            raise ValueError(f"unknown registry type {kind!r} of {key}\\{value}")
        out += wide("[") + wide(key + "\0") + wide(";") + wide(value + "\0") + wide(";")
        out += struct.pack("<I", REGISTRY_TYPES[kind]) + wide(";") + struct.pack("<I", len(raw)) + wide(";")
        out += raw + wide("]")
    return bytes(out)
