import json

from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

# The SID of every account of the domain, by its sAMAccountName.
lp = LoadParm()
lp.load_default()
samdb = SamDB(session_info=system_session(), lp=lp)
found = samdb.search(
    str(samdb.domain_dn()), expression="(&(objectSid=*)(sAMAccountName=*))", attrs=["sAMAccountName", "objectSid"]
)
print(
    json.dumps(
        {
            str(message["sAMAccountName"]): str(ndr_unpack(security.dom_sid, bytes(message["objectSid"][0])))
            for message in found
        }
    )
)
