#!/usr/bin/env python3
"""Wait until a domain controller takes a simple bind over verified TLS, and answers a search as that user.

usage: probe.py ADDRESS SERVER CA_FILE USER PASSWORD_FILE SECONDS

Samba's own certificate names the server in its subject only, so the chain is verified by the library and the
name here. The search matters: a directory that answers the bind may still be about to load.
"""

import socket
import ssl
import sys
import time


def element(tag, body):
    """BER, definite length, below 64 KiB."""
    size = len(body)
    head = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + head + body


def integer(number):
    return element(2, bytes([number]))


def receive(stream):
    head = stream.recv(2)
    if len(head) < 2:
        raise ConnectionError("the server closed the connection")
    size = head[1]
    if size & 0x80:
        size = int.from_bytes(stream.recv(size & 0x7F), "big")
    body = b""
    while len(body) < size:
        more = stream.recv(size - len(body))
        if not more:
            raise ConnectionError("the server closed the connection")
        body += more
    return body


def operation(body):
    """The tag of the operation and its content, after the message number."""
    rest = body[2 + body[1] :]
    skip = 2 if rest[1] < 128 else 2 + (rest[1] & 0x7F)
    return rest[0], rest[skip:]


def ask(address, server, ca_file, user, password):
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = False
    with socket.create_connection((address, 636), timeout=3) as plain, context.wrap_socket(plain) as stream:
        subject = dict(pair[0] for pair in stream.getpeercert()["subject"])
        if subject.get("commonName", "").lower() != server.lower():
            raise ConnectionError(f"the certificate is for {subject.get('commonName')!r}")
        bind = integer(3) + element(4, user.encode()) + element(0x80, password)
        stream.sendall(element(0x30, integer(1) + element(0x60, bind)))
        tag, content = operation(receive(stream))
        if tag != 0x61 or content[2] != 0:
            raise ConnectionError(f"the bind was refused with result {content[2]}")
        base = ",".join(f"DC={label}" for label in server.split(".")[1:])
        search = (
            element(4, base.encode())
            + element(10, b"\0")
            + element(10, b"\0")
            + integer(1)
            + integer(3)
            + element(1, b"\0")
            + element(0x87, b"objectClass")
            + element(0x30, element(4, b"objectSid"))
        )
        stream.sendall(element(0x30, integer(2) + element(0x63, search)))
        tag, _ = operation(receive(stream))
        if tag != 0x64:
            raise ConnectionError(f"{base} could not be read")


def main():
    address, server, ca_file, user, password_file, seconds = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    while True:
        try:
            with open(password_file, "rb") as file:
                ask(address, server, ca_file, user, file.read())
            return
        except (OSError, KeyError, IndexError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"{server} at {address}: {error}")
            time.sleep(0.05)


main()
