"""Many Registry.pol files at once: base64 by name in, what samba.dcerpc.preg makes of each out. Each file has a process and ten
seconds of its own, for a parser that crashes or never ends is an answer too."""
import base64
import json
import multiprocessing
import signal

from samba.dcerpc import preg
from samba.ndr import ndr_pack, ndr_unpack

SECONDS = 10


def plain(data):
    if isinstance(data, bytes):
        return {"hex": data.hex()}
    if isinstance(data, list):
        return [bytes(data).hex()] if all(isinstance(item, int) for item in data) else data
    if hasattr(data, "strings"):
        return list(data.strings)
    return data


def read(content, answer):
    signal.alarm(SECONDS)
    try:
        policy = ndr_unpack(preg.file, content)
        entries = [
            {"key": e.keyname, "value": e.valuename, "type": e.type, "size": e.size, "data": plain(e.data)}
            for e in policy.entries
        ]
        answer.send({"version": policy.header.version, "entries": entries, "same": ndr_pack(policy) == content})
    except Exception as error:  # whatever it says is the answer
        answer.send({"error": f"{type(error).__name__}: {error}"})


answers = {}
for name, content in json.load(sys.stdin).items():
    receiver, sender = multiprocessing.Pipe(False)
    process = multiprocessing.Process(target=read, args=(base64.b64decode(content), sender))
    process.start()
    sender.close()
    try:
        answers[name] = receiver.recv()
    except EOFError:
        process.join()
        code = -process.exitcode
        answers[name] = {"error": f"does not end within {SECONDS} s" if code == signal.SIGALRM else f"killed by signal {code}"}
    process.join()
json.dump(answers, sys.stdout)
