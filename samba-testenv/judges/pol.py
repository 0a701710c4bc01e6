import json

from samba.dcerpc import misc, preg
from samba.ndr import ndr_unpack

NAMES = {number: name for name, number in vars(misc).items() if name.startswith("REG_") and isinstance(number, int)}

policy = ndr_unpack(preg.file, contents(sys.argv[1]))
entries = []
for entry in policy.entries:
    data = entry.data
    if isinstance(data, bytes):
        data = {"hex": data.hex()}
    elif isinstance(data, list):
        data = list(data)
    elif not isinstance(data, (str, int, type(None))):
        data = [str(item) for item in data.strings] if hasattr(data, "strings") else repr(data)
    entries.append(
        {
            "key": entry.keyname,
            "value": entry.valuename,
            "type": NAMES.get(entry.type, entry.type),
            "size": entry.size,
            "data": data,
        }
    )
json.dump(
    {"signature": policy.header.signature, "version": policy.header.version, "entries": entries},
    sys.stdout,
    ensure_ascii=False,
    indent=1,
)
print()
