"""One process that has imported Samba and runs many judges, each in a fork: the start takes longer than most of them.
Arguments: src or dst, then the name and the text of each script. Standard input has a request in each line,
`{"judge", "arguments", "input"}`, standard output an answer, `{"status", "stdout", "stderr"}`; bytes are in base64."""

import base64
import json
import runpy
import tempfile
import traceback

# What the forks would import one by one.
import ldb  # noqa: F401
import samba.auth_util
import samba.netcmd.dbcheck
import samba.netcmd.gpo
import samba.netcmd.main
import samba.netcmd.ntacl
import samba.samba3.param  # noqa: F401

SAMBA_TOOL = "/usr/bin/samba-tool"
CHECKS = ["sysvolcheck", "aclcheck", "listall", "show-all", "dbcheck"]

side, *rest = sys.argv[1:]
scripts = dict(zip(rest[::2], rest[1::2]))


def run(judge, arguments):
    if judge == "show":
        sys.argv = [SAMBA_TOOL, "gpo", "show", *arguments]
        runpy.run_path(SAMBA_TOOL, run_name="__main__")
        return
    if judge in ("all", *CHECKS, "dbcheck-forest"):
        arguments = [side, scripts["show_all"], *(CHECKS if judge == "all" else [judge])]
        judge = "checks"
    sys.argv = ["-c", *arguments]
    exec(compile(f"{scripts['sysvol_path']}\n{scripts[judge]}", judge, "exec"), {"__name__": "__main__"})


def fork(judge, arguments, files):
    """The exit status of a judge whose standard streams are these files."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    status = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        # The one of before may have read ahead.
        sys.stdin = open(0, closefd=False)
        run(judge, arguments)
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


for line in sys.stdin:
    request = json.loads(line)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(base64.b64decode(request["input"]))
        given.seek(0)
        status = fork(request["judge"], request["arguments"], [given, output, errors])
        output.seek(0)
        errors.seek(0)
        answer = {
            "status": status,
            "stdout": base64.b64encode(output.read()).decode("ascii"),
            "stderr": base64.b64encode(errors.read()).decode("ascii"),
        }
    print(json.dumps(answer), flush=True)
