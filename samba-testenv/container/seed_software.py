"""Software installation: the class store below a GPO's half, and the advertise script (.aas) in SYSVOL."""

import struct
import uuid

SIGNATURE = 0x534F5849


def add_packages(domain, gpo, dn, write):
    for half, packages in gpo.get("software", {}).items():
        store = f"CN=Class Store,CN={half},{dn}"
        samdb = domain.samdb
        samdb.add(
            {
                "dn": store,
                "objectClass": "classStore",
                "appSchemaVersion": "1740",
                "description": "Application Store",
                "displayName": f"LDAP://{dn}",
                "extensionName": gpo["name"],
                "lastUpdateSequence": "20240105103000",
            }
        )
        samdb.add(
            {"dn": f"CN=Packages,{store}", "objectClass": "classStore", "description": "Application Packages"}
        )
        for package in packages:
            add_package(domain, gpo, half, store, package)
            write(f"{half}/Applications/{{{package['guid'].upper()}}}.aas", advertise_script(package))


def add_package(domain, gpo, half, store, package):
    name = domain.dns_name
    message = {
        "dn": f"CN={package['guid']},CN=Packages,{store}",
        "objectClass": "packageRegistration",
        "packageName": package["name"],
        "displayName": package["name"],
        "packageType": "5",
        # Assigned, uninstalled on removal, and the high bits that real packages carry (stored signed).
        "packageFlags": str(0xA0021470 - 2**32),
        "machineArchitecture": str(0x09000502),
        "localeID": "1033",
        "versionNumberHi": "2",
        "versionNumberLo": "1",
        "revision": "0",
        "installUiLevel": "5",
        "lastUpdateSequence": "20240105103000",
        "msiScriptName": "A",
        "msiScriptPath": f"\\\\{name}\\sysvol\\{name}\\Policies\\{gpo['guid']}\\{half}"
        f"\\Applications\\{{{package['guid'].upper()}}}.aas",
        "msiFileList": [f"{index}:{path}" for index, path in enumerate(package["files"])],
        "productCode": uuid.UUID(package["product"]).bytes_le,
        "cOMClassID": "00000000-0000-0000-0000-000000000000:0",
    }
    if "script_size" in package:
        # One directory entry of more than 64 KiB: a client that seals its LDAP must take replies of any size.
        message["msiScript"] = bytes(index * 7 % 251 for index in range(package["script_size"]))
        message["msiScriptSize"] = str(package["script_size"])
    domain.samdb.add(message)


def advertise_script(package):
    """[MS-GPSI 2.2.4] records of (opcode, argument count), each argument typed by a 16-bit word."""

    def record(opcode, *arguments):
        return bytes([opcode, len(arguments)]) + b"".join(arguments)

    def number(value):
        return struct.pack("<HI", 0x4000, value)

    def text(value):
        raw = value.encode("ascii")
        return struct.pack("<H", len(raw)) + raw

    null = struct.pack("<H", 0x8000)
    product = f"{{{package['product'].upper()}}}"
    folder, file = package["files"][0].rsplit("\\", 1)
    return b"".join(
        [
            # script version 500, DOS time, language, platform, type, 21.4
            record(2, *map(number, (SIGNATURE, 500, 0x58255260, 1033, 0, 3, 21, 4, 0))),
            record(
                4,
                text(product),
                text(package["name"]),
                text(file),
                number(1033),
                number(0x02010000),
                number(1),
                number(0),
                null,
                null,
                text(f"{{{package['code'].upper()}}}"),
                null,
                null,
                *map(number, (0, 0, 0, 3)),
            ),
            record(16, text(f"{{{package['code'].upper()}}}")),
            record(9, null, null, null, null, number(1), number(1), null, null, text(folder + "\\")),
            record(3, number(0), number(0), number(0)),
        ]
    )
