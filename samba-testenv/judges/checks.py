"""Samba's own checks, side by side in forks of one process: most of the time that samba-tool takes is its start. Each fork runs the
samba-tool that is installed. Arguments: src or dst, the text of show_all.py, and the names of the checks."""

import runpy
import tempfile

os.environ["PASSWD_FILE"] = "/lab-state/admin.password"
CHECKS = {
    "sysvolcheck": ["ntacl", "sysvolcheck"],
    # Kerberos would derive a key from the password.
    "aclcheck": ["gpo", "aclcheck", "-U", "Administrator", "--use-kerberos=off"],
    "listall": ["gpo", "listall"],
    "show-all": None,
    "dbcheck": ["dbcheck"],
    "dbcheck-forest": ["dbcheck", "--cross-ncs"],
}

# What the forks would import one by one.
import samba.netcmd.dbcheck  # noqa: E402
import samba.netcmd.gpo  # noqa: E402
import samba.netcmd.main  # noqa: E402
import samba.netcmd.ntacl  # noqa: E402

# aclcheck connects to the share again for each GPO.
connect = samba.netcmd.gpo.smb_connection
connections = {}


def one_connection(host, service, **options):
    if (host, service) not in connections:
        connections[host, service] = connect(host, service, **options)
    return connections[host, service]


samba.netcmd.gpo.smb_connection = one_connection


def check(arguments, show_all):
    if arguments is None:
        exec(compile(show_all, "show_all.py", "exec"), {"__name__": "__main__", "sys": sys})
    else:
        sys.argv = [SAMBA_TOOL, *arguments]
        runpy.run_path(SAMBA_TOOL, run_name="__main__")


def start(name):
    output = tempfile.TemporaryFile()
    return Fork({1: output, 2: output}, SECONDS, check, CHECKS[name], show_all), output


side, show_all, *names = sys.argv[1:]
failed = False
running = {name: start(name) for name in names}
for name, (fork, output) in running.items():
    status, reason = fork.status()
    if status == 0:
        print(f"{side} {name}: ok")
        continue
    failed = True
    output.seek(0)
    print(f"{side} {name}: FAILED\n{output.read().decode(errors='replace')}{f'It {reason}.' if reason else ''}")
sys.exit(failed)
