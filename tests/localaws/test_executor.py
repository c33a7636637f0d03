"""Inside the executor: what a handler must not see of this machine, and what is left behind."""

from __future__ import annotations

import base64
import io
import time
import zipfile

import pytest

from helpers import steps
from helpers.localaws.runtime.executor import Executor
from helpers.localaws.runtime.model import FunctionVersion, Invocation
from helpers.localaws.runtime.packages import unpack
from tests.conformance.kit import HEAD, REGION, Aws, Declared, poll
from tests.localaws.kit import POSIX, kill_hard, own_server, wait_gone

ACCOUNT = "123456789012"
EXPECTED_VARIABLES = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
    *("AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME"),
    *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME"),
    *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT"),
    *("LAMBDA_RUNTIME_DIR", "PYTHONPATH", "PWD", "TZ", "LANG", "PATH", "_HANDLER"),
    *("_X_AMZN_TRACE_ID", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS"),
}
LOCAL_VARIABLES = {
    *("AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_EC2_METADATA_DISABLED", "HOME", "TMPDIR"),
}
# Not ours: Python, macOS and Windows add these to a process.
ADDED_BY_SYSTEM = {"LC_CTYPE", "__CF_USER_TEXT_ENCODING", "SYSTEMROOT", "TEMP", "USERPROFILE"}

HOME_AND_SESSION = (
    "import os, boto3\n" + HEAD + "    session = boto3.Session()\n"
    "    return {'profiles': session.available_profiles, 'home': os.path.expanduser('~'),\n"
    "        'key': session.get_credentials().access_key, 'environment': dict(os.environ)}\n"
)
SHOWS_ENVIRONMENT = Declared("import os\n" + HEAD + "    return dict(os.environ)\n")
IMPORTS = Declared(HEAD + "    __import__(event['module'])\n", Timeout=10)
PID = Declared("import os\n" + HEAD + "    return os.getpid()\n")
LATE = Declared(
    "import threading, time\n" + HEAD + "    def later():\n        time.sleep(0.2)\n"
    "        print(f'late from {event}')\n    threading.Thread(target=later).start()\n"
)
LOUD = Declared(
    "import os, subprocess, sys\n" + HEAD + "    print('x' * 10**6)\n"
    "    os.write(1, b'raw\\n')\n    subprocess.run([sys.executable, '-c', 'print(1)'])\n"
    "    sys.stdout.flush()\n    return 1\n",
    Timeout=10,
)


ORDER = Declared(
    "import os, subprocess, sys\n" + HEAD + "    print('one')\n    os.write(1, b'two\\n')\n"
    "    print('three')\n    subprocess.run(['echo', 'four'])\n"
    "    print('five', file=sys.stderr)\n    os.write(2, b'six, and no end \\xff')\n",
)
BYTES = Declared(
    "import sys\n" + HEAD + "    text = 'gr\u00fcn\\n'.encode()\n"
    "    sys.stdout.buffer.write(text[:3])\n    sys.stdout.buffer.write(text[3:])\n"
    "    sys.stdout.buffer.write(b'\\xff\\n')\n    print('a surrogate: \\ud800')\n"
)
FORKS = Declared(
    "import multiprocessing, os\n" + HEAD + "    process = multiprocessing.get_context('fork')"
    ".Process(target=print, args=['child'])\n    process.start()\n    process.join()\n"
    "    print('parent')\n    if os.fork():\n        return 'parent'\n    return 'child'\n"
)
CLOSES = Declared(
    "import os, sys, time\n" + HEAD + "    if event == 'streams':\n"
    "        sys.stdout.close()\n        sys.stderr.close()\n        return 'closed'\n"
    "    if event == 'standard':\n        for number in (0, 1, 2):\n"
    "            os.close(number)\n        return 'closed'\n"
    "    os.closerange(0, 100)\n    time.sleep(60)\n",
    Timeout=1,
)
STOPS = Declared(
    "import os, signal\n" + HEAD + "    os.kill(os.getpid(), signal.SIGSTOP)\n", Timeout=1
)
ORPHAN = Declared(
    "import os, subprocess, sys\n" + HEAD + "    child = subprocess.Popen(['sleep', '300'])\n"
    "    print(child.pid)\n    os._exit(1)\n"
)
CRASH = Declared(
    "import ctypes, faulthandler\nfaulthandler.enable()\n" + HEAD + "    ctypes.string_at(0)\n"
)
DEEP = Declared(
    "import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return f(n + 1) + 1\nf(0)\n"
    + HEAD
    + "    pass\n",
    Timeout=5,
)
SPIKE = Declared(
    HEAD + "    if event:\n        bytearray(b'x') * (300 * 2**20)\n    return 'fine'\n",
    Timeout=10,
)


def test_the_environment_variables_are_AWSs_and_ours_and_no_others(aws):
    seen = aws.invoke(SHOWS_ENVIRONMENT.name).value
    assert set(seen) >= EXPECTED_VARIABLES
    assert set(seen) - EXPECTED_VARIABLES - ADDED_BY_SYSTEM == LOCAL_VARIABLES


def test_nothing_of_this_machines_aws_setup_reaches_a_handler(tmp_path):
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    secrets = "aws_access_key_id = AKIAMACHINE\naws_secret_access_key = machine-secret\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{secrets}[machine]\n{secrets}")
    (home / ".aws" / "config").write_text("[profile machine]\nregion = eu-west-3\n")
    machine = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "AWS_PROFILE": "machine",
        "AWS_ACCESS_KEY_ID": "AKIAMACHINE",
        "AWS_SECRET_ACCESS_KEY": "machine-secret",
        "PYTHONSTARTUP": "/machine/startup.py",
        "MACHINE_SECRET": "machine-secret",
    }
    with own_server(tmp_path / "folder", **machine) as url:
        aws = Aws(url)
        answer = aws.invoke(aws.function(HOME_AND_SESSION, Timeout=20))
    assert answer.error is None
    assert answer.value["profiles"] == []
    assert answer.value["key"].startswith("ASIA")
    assert answer.value["home"] != str(home)
    for word in ("AKIAMACHINE", "machine-secret", "/machine/startup.py", "AWS_PROFILE", str(home)):
        assert word not in answer.payload.decode()


@pytest.mark.skipif(not POSIX, reason="kills a process by signal")
def test_a_worker_killed_while_idle_is_replaced(aws):
    pid = aws.invoke(PID.name).value
    kill_hard(pid)
    wait_gone(pid, "the worker")
    again = aws.invoke(PID.name)
    assert again.error is None
    assert again.value != pid


def test_a_handler_imports_what_the_runtime_offers_and_nothing_else(aws) -> None:
    assert aws.invoke(IMPORTS.name, {"module": "boto3"}).error is None
    answer = aws.invoke(IMPORTS.name, {"module": "pandas"})
    assert answer.value["errorMessage"] == "No module named 'pandas'"
    assert aws.invoke(IMPORTS.name, {"module": "helpers"}).error == "Unhandled"


def test_what_an_unpacking_left_that_broke_off_is_not_in_the_way(tmp_path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", "x = 1")
    (tmp_path / "task.partial" / "half").mkdir(parents=True)
    unpack((buffer.getvalue(),), tmp_path / "task")
    assert [path.name for path in (tmp_path / "task").iterdir()] == ["handler.py"]
    assert not (tmp_path / "task.partial").exists()


def test_a_package_cannot_leave_its_folder(tmp_path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("../above.py", "/absolute.py", "a/../../twice.py", "fine.py"):
            archive.writestr(name, "x = 1")
    unpack((buffer.getvalue(),), tmp_path / "inside" / "package")
    escaped = [
        path
        for path in tmp_path.rglob("*.py")
        if tmp_path / "inside" / "package" not in path.parents
    ]
    assert escaped == []
    assert (tmp_path / "inside" / "package" / "fine.py").exists()
    assert not list(tmp_path.parent.glob("*.py"))


def test_an_environment_that_cannot_be_made_uses_up_no_concurrency(tmp_path) -> None:
    def no_credentials(_function: FunctionVersion) -> dict[str, str]:
        raise LookupError("the role is gone")

    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    function = FunctionVersion(
        *(arn, "f", "$LATEST", "1", "lambda_function.lambda_handler", "python3.13", 3, 128, {}),
        *("role", ACCOUNT, REGION, "group", steps.make_package("x = 1")),
    )
    executor = Executor(tmp_path, "http://127.0.0.1:1", no_credentials, lambda _function: True)
    for _ in range(2):
        with pytest.raises(LookupError, match="the role is gone"):
            executor.invoke(Invocation(function, b"{}", "id"), reserved=1)


def test_packages_of_old_revisions_are_removed(tmp_path) -> None:
    packages = tmp_path / "files" / "packages"
    with own_server(tmp_path) as url:
        aws = Aws(url)
        name = aws.function("x = 1\n" + HEAD + "    return x\n")
        assert aws.invoke(name).value == 1
        [before] = list(packages.iterdir())
        steps.deploy_handler(aws.lambda_, name, "x = 2\n" + HEAD + "    return x\n")
        assert aws.invoke(name).value == 2
        assert before not in list(packages.iterdir())
        aws.lambda_.delete_function(FunctionName=name)
        poll(lambda: list(packages.iterdir()), lambda left: not left, "no package to be left")


def test_lines_of_a_late_thread_stay_in_the_log_and_break_nothing(aws) -> None:
    assert aws.invoke(LATE.name, 1).error is None
    time.sleep(0.4)
    assert aws.invoke(LATE.name, 2).error is None
    assert "late from 1\n" in aws.own_lines(LATE.name)


def test_a_loud_handler_with_children_still_answers(aws) -> None:
    assert [aws.invoke(LOUD.name).value for _ in range(2)] == [1, 1]
    lines = aws.wait_lines(LOUD.name, 4)
    assert "x" * 10**6 + "\n" in lines
    assert "raw\n" in lines


# -- handlers that do not keep to their own standard output ---------------------------------


@pytest.mark.skipif(not POSIX, reason="runs echo")
def test_what_bypasses_print_stays_in_order_and_in_its_invocation(aws) -> None:
    lines = ["one\n", "two\n", "three\n", "four\n", "five\n", "six, and no end \\xff"]
    for _ in range(3):
        tail = base64.b64decode(aws.invoke(ORDER.name, LogType="Tail").whole["LogResult"])
        start, *printed, end, _report = tail.decode().splitlines()
        assert printed == [line.rstrip("\n") for line in lines]
        assert start.startswith("START ")
        assert end.startswith("END ")
    assert aws.own_lines(ORDER.name) == 3 * lines


def test_bytes_and_surrogates_are_printed(aws) -> None:
    assert aws.invoke(BYTES.name).error is None
    assert aws.own_lines(BYTES.name) == ["gr\u00fcn\n", "\\xff\n", "a surrogate: \\ud800\n"]


@pytest.mark.skipif(not POSIX, reason="forks")
def test_a_forked_process_prints_and_does_not_answer(aws) -> None:
    assert [aws.invoke(FORKS.name).value for _ in range(3)] == ["parent"] * 3
    assert aws.own_lines(FORKS.name) == ["child\n", "parent\n"] * 3


@pytest.mark.parametrize("what", ["streams", "standard"])
def test_a_handler_may_close_its_standard_output(aws, what) -> None:
    assert aws.invoke(CLOSES.name, what).value == "closed"


@pytest.mark.skipif(not POSIX, reason="closes all files")
def test_a_handler_that_closes_all_files_ends_in_its_time_out(aws) -> None:
    answer = aws.invoke(CLOSES.name, "all")
    assert answer.value["errorType"] == "Sandbox.Timedout"


@pytest.mark.skipif(not POSIX, reason="stops a process by signal")
def test_a_stopped_worker_ends_in_its_time_out(aws) -> None:
    answer = aws.invoke(STOPS.name, "x" * 10**6)
    assert answer.value["errorType"] == "Sandbox.Timedout"


@pytest.mark.skipif(not POSIX, reason="runs sleep")
def test_what_a_crashed_handler_started_ends_with_it(aws) -> None:
    assert aws.invoke(ORPHAN.name).error == "Unhandled"
    wait_gone(int(aws.own_lines(ORPHAN.name)[0]), "the handler's child")


@pytest.mark.skipif(not POSIX, reason="crashes a process")
def test_a_crash_shows_no_path_of_this_machine(aws) -> None:
    assert aws.invoke(CRASH.name).value["errorMessage"].endswith("signal: segmentation fault")
    lines = aws.own_lines(CRASH.name)
    assert '  File "/var/task/lambda_function.py", line 4 in lambda_handler\n' in lines
    assert not [line for line in lines if "localaws" in line]
    [report] = [line for line in aws.log(CRASH.name) if line.startswith("REPORT ")]
    assert "\tMax Memory Used: 0 MB" not in report


def test_unbounded_recursion_at_import_ends(aws) -> None:
    assert aws.invoke(DEEP.name).error == "Unhandled"


def test_a_short_spike_of_memory_does_not_end_the_next_invocation(aws) -> None:
    aws.invoke(SPIKE.name, True)
    time.sleep(0.3)
    assert [aws.invoke(SPIKE.name, False).value for _ in range(3)] == ["fine"] * 3
