import json
import struct

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.samba3 import param as s3param
from samba.xattr_native import wrap_getxattr

# A plain search for text and SIDs through every byte of a GPO: the files and their descriptors on SYSVOL, and all attributes
# of its objects. It knows no format, so nothing can hide from it in a place that a parser does not look at.


def forms(needle):
    """Every way a text or a SID may stand in bytes; case makes no difference to text."""
    text = needle.lower()
    yield "utf-8", text.encode()
    yield "utf-16", text.encode("utf-16-le")
    if text.startswith("s-1-"):
        authority, *rest = (int(part) for part in text.split("-")[2:])
        # Revision and count come first; the count differs between a domain and its accounts.
        yield "binary", authority.to_bytes(6, "big") + b"".join(struct.pack("<I", part) for part in rest)


def occurrences(data, needles):
    folded = data.lower()
    for needle in needles:
        for form, wanted in forms(needle):
            if wanted in (data if form == "binary" else folded):
                yield {"needle": needle, "form": form}


def main(guid, needles):
    found = []
    counts = {"names": 0, "files": 0, "descriptors": 0, "values": 0}

    def look(place, data, kind):
        counts[kind] += 1
        found.extend({"place": place, **hit} for hit in occurrences(data, needles))

    root = locate(guid)
    for folder, _, files in os.walk(root):
        for name in [".", *files]:
            path = os.path.normpath(os.path.join(folder, name))
            shown = os.path.relpath(path, root)
            look(f"name of {shown}", shown.encode(), "names")
            look(f"descriptor of {shown}", wrap_getxattr(path, "security.NTACL"), "descriptors")
            if name != ".":
                with open(path, "rb") as file:
                    look(shown, file.read(), "files")
    lp = LoadParm()
    lp.load_default()
    s3param.get_context().load(lp.configfile)
    samdb = SamDB(session_info=system_session(), lp=lp)
    objects = samdb.search(
        f"CN={guid},CN=Policies,CN=System,{samdb.domain_dn()}",
        scope=ldb.SCOPE_SUBTREE,
        attrs=["*", "nTSecurityDescriptor"],
        controls=["sd_flags:1:15"],
    )
    for entry in objects:
        for name in entry.keys():
            if name != "dn":
                for value in entry[name]:
                    look(f"{name} of {entry.dn}", bytes(value), "values")
    print(json.dumps({**counts, "found": found}))


main(sys.argv[1], sys.argv[2:])
