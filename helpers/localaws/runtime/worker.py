"""The program inside an execution environment: AWS's own runtime client, over pipes.

`environment.py` starts it with `python -I -S worker.py <folder of the package> <folder of its
layers> <library folders>`.
`awslambdaric`, the client that AWS runs inside Lambda, finds the handler, builds the
context object, marshals events and results, formats log records and tracebacks. What it
would ask Lambda's Runtime API over HTTP goes through one pipe in each direction instead,
so that log lines and results keep their order, and so that the same code runs on Linux,
macOS and Windows.

Frames to the service: 1 byte kind, 8 bytes size of the raw output so far (see raw_output.py),
4 bytes length, the bytes. Frames from the service: 4 bytes and 4 bytes length, JSON headers,
the event. All numbers are big-endian.
"""

import _sitebuiltins
import builtins
import errno
import importlib.machinery
import io
import json
import os
import queue
import struct
import sys
import threading
import types

# What AWS's Python runtimes offer beside the standard library. Anything else a function
# needs must be in its package, here as there.
RUNTIME_LIBRARIES = {
    "awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "simplejson",
    "six", "snapshot_restore_py", "urllib3",
}  # fmt: skip

MAX_PRINTED_BYTES = 2**20  # in one frame

PRINTED, LOGGED, READY, INIT_ERROR, RESULT, ERROR = b"P", b"L", b"N", b"I", b"R", b"E"


class RuntimeLibraryFinder:
    """Import the runtime's libraries from where the local AWS itself is installed."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = folders

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if path is None and name in RUNTIME_LIBRARIES:
            return importlib.machinery.PathFinder.find_spec(name, self.folders)
        return None


class ReadOnly:
    """Makes folders read-only for Python, as /var/task is: also for root, with AWS's error.

    An audit hook: Python tells it what it is about to do. A path that counts from an open
    folder (`dir_fd`) is not looked at, for the folder's name is not known.
    """

    FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    CHANGES = {  # which arguments are paths that are changed
        **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"), slice(0, 1)),
        **dict.fromkeys(("os.chmod", "os.chown", "os.utime"), slice(0, 1)),
        **dict.fromkeys(("os.link", "os.symlink"), slice(1, 2)),
        "os.rename": slice(0, 2),
    }

    def __init__(self, *folders: str) -> None:
        real = (os.path.join(os.path.realpath(folder), "") for folder in folders)
        self._inside = (*real, "/var/task/", "/opt/")

    def __call__(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _mode, flags = arguments
            if flags & self.FOR_WRITING:
                self._check(path)
        elif event in self.CHANGES and arguments[-1] in (-1, None):
            for path in arguments[self.CHANGES[event]]:
                self._check(path)

    def _check(self, path: object) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open file
        parent, name = os.path.split(os.path.abspath(os.fsdecode(path)))
        if os.path.join(os.path.realpath(parent), name, "").startswith(self._inside):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


class Channel:
    """Frames to and from the service, over the worker's standard input and output.

    A process that the handler forks has no share in them: what it prints is raw output, and
    it ends where the worker would answer.
    """

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)  # what bypasses sys.stdout goes to the file for raw output
        self._raw_bytes = 0
        self._is_forked = False
        self._lock = threading.Lock()
        self._events: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._read_events, daemon=True).start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave)

    def send(self, kind: bytes, data: bytes) -> None:
        if self._is_forked:
            self._send_raw(kind, data)
            return
        with self._lock:
            head = kind + struct.pack(">QI", self._raw_size(), len(data))
            frame = memoryview(head + data)
            while frame:
                frame = frame[os.write(self._out, frame) :]

    def next_event(self) -> tuple[dict, bytes]:
        return self._events.get()

    def _raw_size(self) -> int:
        try:
            self._raw_bytes = os.fstat(2).st_size
        except OSError:
            pass  # the handler closed it
        return self._raw_bytes

    def _leave(self) -> None:
        self._is_forked = True
        os.close(self._out)

    def _send_raw(self, kind: bytes, data: bytes) -> None:
        if kind not in (PRINTED, LOGGED):
            os._exit(0)
        os.write(2, data if kind == PRINTED else data.rstrip(b"\n") + b"\n")

    def _read_events(self) -> None:
        """Read ahead, so that a handler that is busy still notices its service's end."""
        stdin = os.fdopen(os.dup(0), "rb")
        while lengths := stdin.read(8):
            header_length, body_length = struct.unpack(">II", lengths)
            headers = json.loads(stdin.read(header_length))
            self._events.put((headers, stdin.read(body_length)))
        os._exit(0)


class PrintedBytes(io.RawIOBase):
    """What a handler writes to `sys.stdout` or `sys.stderr`, as frames."""

    def __init__(self, channel: Channel, fileno: int) -> None:
        self._channel = channel
        self._fileno = fileno
        self.name = ("<stdin>", "<stdout>", "<stderr>")[fileno]

    def write(self, data: bytes) -> int:
        for start in range(0, len(data), MAX_PRINTED_BYTES):
            self._channel.send(PRINTED, bytes(data[start : start + MAX_PRINTED_BYTES]))
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fileno


def printed_text(channel: Channel, fileno: int) -> io.TextIOWrapper:
    """`sys.stdout` or `sys.stderr` of the handler, unbuffered and the same on all systems."""
    return io.TextIOWrapper(
        PrintedBytes(channel, fileno),
        encoding="utf-8",
        errors="backslashreplace",
        newline="\n",
        write_through=True,
    )


class LogSink:
    """Where awslambdaric writes log records and tracebacks: one log event each."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __enter__(self) -> "LogSink":
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def log(self, text: str, frame_type: object = None) -> None:
        self._channel.send(LOGGED, text.encode("utf-8", "backslashreplace"))

    def log_error(self, lines: list[str]) -> None:
        self.log("\n".join(lines))


def runtime_client(channel: Channel) -> types.ModuleType:
    """A stand-in for awslambdaric's native module `runtime_client`."""
    module = types.ModuleType("runtime_client")

    def wait_for_next() -> tuple[bytes, dict]:
        channel.send(READY, b"")
        headers, event = channel.next_event()
        return event, headers

    def post_result(_request_id: str, data: bytes, content_type: str, _invocation: object) -> None:
        channel.send(RESULT, data)

    def post_error(_request_id: str, data: str, _xray: str, _invocation: object) -> None:
        channel.send(ERROR, data.encode())

    module.initialize_client = lambda user_agent: None
    module.next = wait_for_next
    module.post_invocation_result = post_result
    module.post_error = post_error
    return module


def layer_folders(opt: str) -> list[str]:
    """Where modules of layers are. Lambda Developer Guide, "Working with layers for Python"."""
    python = os.environ["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_")
    return [
        os.path.join(opt, "python", "lib", python, "site-packages"),
        os.path.join(opt, "python"),
    ]


def main(task_root: str, opt: str, library_folders: list[str]) -> None:
    sys.path[:0] = [task_root, *layer_folders(opt)]
    sys.meta_path.append(RuntimeLibraryFinder(library_folders))
    channel = Channel()
    sys.stdin = open(os.devnull, encoding="utf-8")
    sys.stdout, sys.stderr = printed_text(channel, 1), printed_text(channel, 2)
    sys.argv = [os.environ["_HANDLER"]]
    builtins.exit = builtins.quit = _sitebuiltins.Quitter("exit", "Ctrl-D")  # -S left them out
    sys.modules["runtime_client"] = runtime_client(channel)

    sys.addaudithook(ReadOnly(task_root, opt))

    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
    from awslambdaric.lambda_runtime_marshaller import to_json

    class Client(LambdaRuntimeClient):
        def post_init_error(self, error_response_data: dict, error_type_override=None) -> None:
            channel.send(INIT_ERROR, to_json(error_response_data).encode())

    bootstrap.create_log_sink = lambda: LogSink(channel)
    bootstrap.run(os.environ["_HANDLER"], Client(""))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
