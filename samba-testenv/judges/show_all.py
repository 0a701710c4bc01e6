"""`samba-tool gpo show` of every GPO, in one process and with one connection to the database itself: a start, a search for a
controller and opening the database for each GPO take too long."""

import io

from samba.auth import system_session
from samba.netcmd.gpo import cmd_show
from samba.param import LoadParm
from samba.samdb import SamDB

NAME = "samba-tool gpo show"

lp = LoadParm()
lp.load_default()
database = SamDB(session_info=system_session(), lp=lp)
found = database.search(
    f"CN=Policies,CN=System,{database.domain_dn()}", expression="(objectClass=groupPolicyContainer)", attrs=["cn"]
)
# Each command would open the database again.
cmd_show.samdb_connect = lambda command: setattr(command, "samdb", database)
failed = []
for entry in found:
    guid = str(entry["cn"])
    said = io.StringIO()
    command = cmd_show(outf=said, errf=said)
    words = [NAME, guid, "-H", lp.private_path("sam.ldb")]
    if hasattr(command, "_resolve"):
        # In newer versions than 4.17 the name of the command is no argument.
        command.command_name = words.pop(0)
    try:
        status = command._run(*words)
    except Exception as error:  # What it does not expect ends it.
        status, said = -1, io.StringIO(str(error))
    if status or f"GPO          : {guid}\n" not in said.getvalue():
        failed.append(f"{guid}: {said.getvalue()}")
if not found or failed:
    sys.exit("\n".join(failed) or "there is no GPO at all")
