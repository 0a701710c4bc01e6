"""Samba's own checks, side by side in forks of one process: most of the time that samba-tool takes is its start. Each fork runs the
samba-tool that is installed. Arguments: src or dst, the text of show_all.py, and the names of the checks."""

import runpy
import tempfile
import traceback

os.environ["PASSWD_FILE"] = "/lab-state/admin.password"
SAMBA_TOOL = "/usr/bin/samba-tool"
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


def run(arguments, show_all):
    if arguments is None:
        exec(compile(show_all, "show_all.py", "exec"), {"__name__": "__main__", "sys": sys})
    else:
        sys.argv = [SAMBA_TOOL, *arguments]
        runpy.run_path(SAMBA_TOOL, run_name="__main__")


def fork(arguments, show_all):
    output = tempfile.TemporaryFile()
    process = os.fork()
    if process:
        return process, output
    status = 1
    try:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        run(arguments, show_all)
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = 0 if not end.code else end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 255 or bool(status))


side, show_all, *names = sys.argv[1:]
failed = False
running = {name: fork(CHECKS[name], show_all) for name in names}
for name, (process, output) in running.items():
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status == 0:
        print(f"{side} {name}: ok")
        continue
    failed = True
    output.seek(0)
    print(f"{side} {name}: FAILED\n{output.read().decode(errors='replace')}")
sys.exit(failed)
