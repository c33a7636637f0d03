"""The program inside an execution environment: AWS's own runtime client, over pipes.

`environments.py` starts it with `python -I -S worker.py <package folder> <library folders>`.
`awslambdaric`, the client that AWS runs inside Lambda, finds the handler, builds the
context object, marshals events and results, formats log records and tracebacks. What it
would ask Lambda's Runtime API over HTTP goes through one pipe in each direction instead,
so that log lines and results keep their order, and so that the same code runs on Linux,
macOS and Windows.

Frames to the service: 1 byte kind, 4 bytes length (big-endian), the bytes.
Frames from the service: 4 bytes and 4 bytes length (big-endian), JSON headers, the event.
"""

import _sitebuiltins
import builtins
import importlib.machinery
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

PRINTED, LOGGED, READY, INIT_ERROR, RESULT, ERROR = b"P", b"L", b"N", b"I", b"R", b"E"


class RuntimeLibraryFinder:
    """Import the runtime's libraries from where the local AWS itself is installed."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = folders

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if path is None and name in RUNTIME_LIBRARIES:
            return importlib.machinery.PathFinder.find_spec(name, self.folders)
        return None


class Channel:
    """Frames to and from the service, over the worker's standard input and output."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)  # what bypasses sys.stdout goes to the pipe for raw output
        self._lock = threading.Lock()
        self._events: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._read_events, daemon=True).start()

    def send(self, kind: bytes, data: bytes) -> None:
        frame = memoryview(kind + struct.pack(">I", len(data)) + data)
        with self._lock:
            while frame:
                frame = frame[os.write(self._out, frame) :]

    def next_event(self) -> tuple[dict, bytes]:
        return self._events.get()

    def _read_events(self) -> None:
        """Read ahead, so that a handler that is busy still notices its service's end."""
        stdin = os.fdopen(os.dup(0), "rb")
        while lengths := stdin.read(8):
            header_length, body_length = struct.unpack(">II", lengths)
            headers = json.loads(stdin.read(header_length))
            self._events.put((headers, stdin.read(body_length)))
        os._exit(0)


class PrintedText:
    """`sys.stdout` and `sys.stderr` of the handler."""

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self, channel: Channel, fileno: int) -> None:
        self._channel = channel
        self._fileno = fileno

    def write(self, text: str) -> int:
        self._channel.send(PRINTED, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fileno


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


def main(task_root: str, library_folders: list[str]) -> None:
    sys.path.insert(0, task_root)
    sys.meta_path.append(RuntimeLibraryFinder(library_folders))
    channel = Channel()
    sys.stdin = open(os.devnull, encoding="utf-8")
    sys.stdout, sys.stderr = PrintedText(channel, 1), PrintedText(channel, 2)
    sys.argv = [os.environ["_HANDLER"]]
    builtins.exit = builtins.quit = _sitebuiltins.Quitter("exit", "Ctrl-D")  # -S left them out
    sys.modules["runtime_client"] = runtime_client(channel)

    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
    from awslambdaric.lambda_runtime_marshaller import to_json

    class Client(LambdaRuntimeClient):
        def post_init_error(self, error_response_data: dict, error_type_override=None) -> None:
            channel.send(INIT_ERROR, to_json(error_response_data).encode())

    bootstrap.create_log_sink = lambda: LogSink(channel)
    bootstrap.run(os.environ["_HANDLER"], Client(""))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
