"""Runs one judge, or many in one process that has imported Samba: the start takes longer than most of them. Each runs in a fork
and has a time limit. Arguments: src or dst, the limit in seconds, the name and the text of each script, --, and a judge with its
arguments. Without one, standard input has a request in each line, `{"judge", "arguments", "input", "seconds"}`, standard output
an answer, `{"status", "stdout", "stderr"}`; bytes are in base64."""

import base64
import json
import runpy
import tempfile

CHECKS = ["sysvolcheck", "aclcheck", "listall", "show-all", "dbcheck"]
# Some of Samba's parsers never end on some files.
PARSER_SECONDS = 10

side, seconds, *rest = sys.argv[1:]
scripts, (judge, *arguments) = rest[: rest.index("--")], rest[rest.index("--") + 1 :] or [None]
scripts = dict(zip(scripts[::2], scripts[1::2]))
seconds = int(seconds)


def run(judge, arguments, seconds):
    """Becomes a judge."""
    if judge == "show":
        sys.argv = [SAMBA_TOOL, "gpo", "show", *arguments]
        runpy.run_path(SAMBA_TOOL, run_name="__main__")
        return
    if judge in ("all", *CHECKS, "dbcheck-forest"):
        arguments = [side, scripts["show_all"], *(CHECKS if judge == "all" else [judge])]
        judge = "checks"
    sys.argv = ["-c", *arguments]
    text = "\n".join(scripts[name] for name in ("sysvol_path", "forks", judge))
    exec(compile(text, judge, "exec"), {"__name__": "__main__", "SECONDS": seconds})


def judged(judge, arguments, streams, seconds):
    """The exit status of a judge, and what its standard error lacks."""
    if judge == "parse":
        # The limit is for a parser, not for what it takes to load all of them.
        import samba.gp_parse.gp_aas
        import samba.gp_parse.gp_csv
        import samba.gp_parse.gp_inf
        import samba.gp_parse.gp_ini
        import samba.gp_parse.gp_pol  # noqa: F401

        seconds = min(seconds, PARSER_SECONDS)
    # The checks have the same limit each, and report which of them did not end.
    more = 30 if judge in ("all", *CHECKS, "dbcheck-forest") else 0
    status, reason = Fork(streams, seconds + more, run, judge, arguments, seconds).status()
    return status, f"judge: {side} {judge} {reason}\n" if reason else ""


def serve():
    # What the forks would import one by one.
    import ldb  # noqa: F401
    import samba.auth_util
    import samba.netcmd.dbcheck
    import samba.netcmd.gpo
    import samba.netcmd.main
    import samba.netcmd.ntacl
    import samba.samba3.param  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            given.write(base64.b64decode(request["input"]))
            given.seek(0)
            streams = {0: given, 1: output, 2: errors}
            status, reason = judged(request["judge"], request["arguments"], streams, request["seconds"])
            output.seek(0)
            errors.seek(0)
            answer = {
                "status": status,
                "stdout": base64.b64encode(output.read()).decode("ascii"),
                "stderr": base64.b64encode(errors.read() + reason.encode()).decode("ascii"),
            }
        print(json.dumps(answer), flush=True)


if judge is None:
    serve()
elif (judge, arguments) == ("state", ["-"]):
    # It runs as long as it is asked, and has a limit for each answer.
    run(judge, arguments, seconds)
else:
    status, reason = judged(judge, arguments, {}, seconds)
    sys.stderr.write(reason)
    sys.exit(status if status >= 0 else 128 - status)
