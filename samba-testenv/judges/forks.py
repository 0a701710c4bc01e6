"""Put in front of every judge: a function in a fork of this process, which is ended when it takes too long."""

import ctypes
import faulthandler
import select
import signal
import time
import traceback

SAMBA_TOOL = "/usr/bin/samba-tool"
PR_SET_PDEATHSIG = 1


class Fork:
    """Runs a function with these files as its standard streams, by their numbers; it has to end within some seconds."""

    def __init__(self, streams, seconds, function, *arguments):
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = os.fork()
        if self.process:
            return
        status = 1
        try:
            for number, file in streams.items():
                os.dup2(file.fileno(), number)
            # The one of before may have read ahead.
            sys.stdin = open(0, closefd=False)
            # SIGTERM shows where it is, even in a function of C, and then ends it.
            faulthandler.register(signal.SIGTERM, open(2, "w", closefd=False), chain=True)
            # When the process that watches it is killed, it ends too.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                function(*arguments)
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

    def ends(self, deadline):
        """Whether it ends until then."""
        watched = os.pidfd_open(self.process)
        try:
            return bool(select.select([watched], [], [], max(0, deadline - time.monotonic()))[0])
        finally:
            os.close(watched)

    def status(self):
        """Waits for its end: the exit status, negative for a signal, and what kept it from an end of its own."""
        in_time = self.ends(self.deadline)
        if not in_time:
            os.kill(self.process, signal.SIGTERM)
            if not self.ends(time.monotonic() + 2):
                os.kill(self.process, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        if not in_time:
            return status or 1, f"did not end within {self.seconds} s and was killed"
        return status, f"was killed by {signal.Signals(-status).name}" if status < 0 else None
