"""Many Registry.pol files at once: base64 by name in, what samba.dcerpc.preg makes of each out. Each file has a process and ten
seconds of its own, for a parser that crashes or never ends is an answer too."""
import base64
import json
import tempfile

from samba.dcerpc import preg
from samba.ndr import ndr_pack, ndr_unpack

FILE_SECONDS = 10


def plain(data):
    if isinstance(data, bytes):
        return {"hex": data.hex()}
    if isinstance(data, list):
        return [bytes(data).hex()] if all(isinstance(item, int) for item in data) else data
    if hasattr(data, "strings"):
        return list(data.strings)
    return data


def read(content):
    try:
        policy = ndr_unpack(preg.file, content)
        entries = [
            {"key": e.keyname, "value": e.valuename, "type": e.type, "size": e.size, "data": plain(e.data)}
            for e in policy.entries
        ]
        answer = {"version": policy.header.version, "entries": entries, "same": ndr_pack(policy) == content}
    except Exception as error:  # whatever it says is the answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    json.dump(answer, sys.stdout)


answers = {}
for name, content in json.load(sys.stdin).items():
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        status, reason = Fork({1: output, 2: errors}, FILE_SECONDS, read, base64.b64decode(content)).status()
        output.seek(0)
        errors.seek(0)
        # It ends well whatever it has read, or not at all.
        answers[name] = json.load(output) if status == 0 else {"error": reason or errors.read().decode(errors="replace")}
json.dump(answers, sys.stdout)
