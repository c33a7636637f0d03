"""Nobody but its owner uses a local AWS: keys, signatures, web pages, other users."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.auth import SigV4Auth as Signer
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as SigningCredentials

from helpers.localaws.front import access, signatures
from helpers.localaws.front.access import Access, Caller
from helpers.localaws.keys import AccessKey, make_access_key, shell_lines
from helpers.localaws.permissions.sts import Credentials
from tests.conformance.kit import HEAD, REGION, Aws, refusal
from tests.localaws.kit import command, own_server, state

KEY = AccessKey("LOCALAWS000000000001", "secret")
UNKNOWN = "The security token included in the request is invalid."
ONCE = {"retries": {"total_max_attempts": 1}}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


# -- signatures -----------------------------------------------------------------------------


def as_environ(request: AWSRequest) -> dict[str, Any]:
    """A signed request as WSGI hands it over."""
    parts, body = urlsplit(request.url), request.body or b""
    names = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
    headers = {
        names.get(name.lower(), f"HTTP_{name.upper().replace('-', '_')}"): value
        for name, value in request.headers.items()
    }
    return {
        "REQUEST_METHOD": request.method,
        "REQUEST_URI": request.url.removeprefix(f"http://{parts.netloc}"),
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_HOST": parts.netloc,
        **headers,
    }


def sign(
    key: AccessKey = KEY, url: str = "http://localhost:5000/", body: bytes = b"{}", **headers: str
) -> dict[str, Any]:
    target = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", url, {**target, **headers}, body)
    Signer(SigningCredentials(key.id, key.secret), "sqs", REGION).add_auth(request)
    return as_environ(request)


def fault_of(environ: dict[str, Any], open_to_all: bool = False) -> str:
    """The code of the refusal of a request; "" when it is let in."""
    answer = Access(KEY, open_to_all).identify(environ)
    if isinstance(answer, Caller):
        return ""
    return json.loads(answer.body)["__type"].partition("#")[2]


def test_a_signed_call_is_let_in() -> None:
    environ = sign()
    assert Access(KEY, False).identify(environ) == Caller("sqs", REGION, None, KEY.id)
    assert environ["wsgi.input"].read() == b"{}"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:5000/123456789012/q",
        "http://localhost:5000/2015-03-31/functions/a%3Ab%2Fc/invocations?Qualifier=%24LATEST",
        "http://localhost:5000/a%20b/%C3%BC?b=2&a=1&a=0",
        "http://localhost:5000/a//b/../c",
    ],
)
def test_a_path_is_signed_as_it_is_sent(url) -> None:
    assert fault_of(sign(url=url)) == ""


def test_any_header_may_be_signed_also_with_blanks() -> None:
    request = AWSRequest("POST", "http://localhost:5000/", {"X-One": " a   b "}, b"")
    Signer(SigningCredentials(KEY.id, KEY.secret), "sqs", REGION).add_auth(request)
    assert fault_of(as_environ(request)) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"wsgi.input": io.BytesIO(b"[]")},
        {"REQUEST_METHOD": "GET"},
        {"REQUEST_URI": "/?x"},
        {"HTTP_X_AMZ_TARGET": "AmazonSQS.PurgeQueue"},
        {"HTTP_X_AMZ_CONTENT_SHA256": hashlib.sha256(b"other").hexdigest()},
    ],
    ids=["body", "method", "path", "header", "hash"],
)
def test_what_was_changed_after_signing_is_refused(change) -> None:
    assert fault_of({**sign(), **change}) == "InvalidSignatureException"


def test_another_secret_is_refused() -> None:
    assert fault_of(sign(AccessKey(KEY.id, "guess"))) == "InvalidSignatureException"


def test_another_key_is_refused_and_its_body_not_read() -> None:
    environ = sign(make_access_key())
    assert fault_of(environ) == "UnrecognizedClientException"
    assert environ["wsgi.input"].tell() == 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"HTTP_X_AMZ_DATE": "99991231T235959Z"}, "InvalidSignatureException"),
        ({"HTTP_X_AMZ_DATE": "00010101T000000Z"}, "InvalidSignatureException"),
        ({"HTTP_X_AMZ_DATE": "yesterday"}, "IncompleteSignatureException"),
    ],
)
def test_odd_times_are_refused(change, fault) -> None:
    assert fault_of({**sign(), **change}) == fault


def test_an_odd_signature_is_refused() -> None:
    environ = sign()
    environ["HTTP_AUTHORIZATION"] = environ["HTTP_AUTHORIZATION"][:-1] + "\xff"
    assert fault_of(environ) == "InvalidSignatureException"


def test_a_token_beside_a_lasting_key_is_refused() -> None:
    assert fault_of(sign(**{"X-Amz-Security-Token": "x"})) == "UnrecognizedClientException"


def test_no_signature_and_half_of_one_are_refused() -> None:
    environ = sign()
    header = environ.pop("HTTP_AUTHORIZATION")
    assert fault_of(environ) == "MissingAuthenticationTokenException"
    for half in (header.split(",")[0], "AWS4-HMAC-SHA256", header.replace("/sqs", "")):
        assert fault_of({**environ, "HTTP_AUTHORIZATION": half}) == "IncompleteSignatureException"
    assert fault_of({**environ, "HTTP_AUTHORIZATION": "Basic eDp4"}) == (
        "MissingAuthenticationTokenException"
    )


@pytest.mark.parametrize(("minutes", "word"), [(-6, "expired"), (6, "not yet current")])
def test_an_old_or_early_signature_is_refused(minutes, word) -> None:
    signature = signatures.read(sign())
    signatures.check_time(signature, datetime.now(UTC))
    with pytest.raises(signatures.OutOfTime, match=f"Signature {word}: "):
        signatures.check_time(signature, datetime.now(UTC) - timedelta(minutes=minutes))


def test_a_presigned_url_is_valid_for_as_long_as_it_says() -> None:
    request = AWSRequest("GET", "http://localhost:5000/bucket/a%20key")
    auth = S3SigV4QueryAuth(SigningCredentials(KEY.id, KEY.secret), "s3", REGION, expires=900)
    auth.add_auth(request)
    assert Access(KEY, False).identify(as_environ(request)) == Caller("s3", REGION, None, KEY.id)
    signature = signatures.read(as_environ(request))
    with pytest.raises(signatures.OutOfTime):
        signatures.check_time(signature, datetime.now(UTC) + timedelta(seconds=901))
    request.url = request.url.replace("a%20key", "another")
    assert not isinstance(Access(KEY, False).identify(as_environ(request)), Caller)


def test_an_open_server_takes_any_key_but_wants_one() -> None:
    assert fault_of(sign(make_access_key()), open_to_all=True) == ""
    unsigned = {"HTTP_X_AMZ_TARGET": "AmazonSQS.ListQueues"}
    assert fault_of(unsigned, open_to_all=True) == "MissingAuthenticationTokenException"


# -- temporary credentials ---------------------------------------------------------------------


@pytest.mark.parametrize(("ends_in_s", "fault"), [(60, ""), (-1, "ExpiredTokenException")])
def test_temporary_credentials_end(monkeypatch, ends_in_s, fault) -> None:
    ends = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=ends_in_s)
    found = Credentials("its own", "token", ends)
    monkeypatch.setattr(access.sts, "find_credentials", {"ASIATEMPORARY": found}.get)
    key = AccessKey("ASIATEMPORARY", "its own")
    assert fault_of(sign(key, **{"X-Amz-Security-Token": "token"})) == fault


def with_credentials(aws: Aws, service: str, made: dict[str, Any], **changed: str) -> Any:
    """A client with temporary credentials, as STS gives them out."""
    return aws.client(
        service,
        **{
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
            **changed,
        },
    )


def test_temporary_credentials_of_a_role_are_checked(aws) -> None:
    statement = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
    _, role = aws.new_role(statement)
    made = aws.sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    assert with_credentials(aws, "sqs", made).list_queues()["ResponseMetadata"]
    denied = refusal(with_credentials(aws, "iam", made).list_roles)
    assert denied[:2] == (403, "AccessDenied")
    for wrong, code in (
        ({"aws_secret_access_key": "guess"}, "SignatureDoesNotMatch"),
        ({"aws_session_token": "guess"}, "InvalidClientTokenId"),
        ({"aws_session_token": None}, "InvalidClientTokenId"),
    ):
        client = with_credentials(aws, "sqs", made, **wrong)
        assert refusal(client.list_queues)[:2] == (403, code)


def test_keys_that_iam_and_sts_make_can_be_used(aws) -> None:
    for made in (
        aws.sts.get_session_token()["Credentials"],
        aws.sts.get_federation_token(Name="somebody")["Credentials"],
    ):
        assert with_credentials(aws, "sqs", made).list_queues()["ResponseMetadata"]
    aws.iam.create_user(UserName="reader")
    key = aws.iam.create_access_key(UserName="reader")["AccessKey"]
    client = aws.client(
        "sts",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    assert client.get_caller_identity()["Arn"].endswith(":user/reader")
    aws.iam.delete_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"])
    assert refusal(client.get_caller_identity)[1] == "InvalidClientTokenId"
    aws.iam.delete_user(UserName="reader")


# -- web pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        *((host, True) for host in ("localhost", "localhost:5000", "127.0.0.1:1", "[::1]:80")),
        *((host, True) for host in ("bucket.localhost:5000", "LOCALHOST")),
        *((host, False) for host in ("", "evil.example", "localhost.evil.example", "192.0.2.1")),
        *(
            (host, False)
            for host in ("127.0.0.1.evil.example", "0.0.0.0:5000", "[", "notlocalhost")
        ),
    ],
)
def test_only_names_of_this_computer_are_answered(host, is_own) -> None:
    assert access.is_loopback(host) is is_own


def test_what_a_browser_adds_is_refused() -> None:
    own = {"HTTP_HOST": "127.0.0.1:5000"}
    assert access.refuse_page(own) is None
    assert access.refuse_page({**own, "HTTP_SEC_FETCH_SITE": "none"}) is None
    for header in ("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"):
        refused = access.refuse_page({**own, header: "null"})
        assert refused.status == "403 Forbidden"
        assert b"no page in a browser" in refused.body


def ask(url: str, method: str = "POST", path: str = "/", body: str = "", **headers: str) -> Any:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


CREATE_QUEUE = {
    "body": '{"QueueName": "of-a-page"}',
    "X_Amz_Target": "AmazonSQS.CreateQueue",
    "Content_Type": "application/x-amz-json-1.0",
}


def test_pages_and_rebound_names_reach_nothing_even_of_an_open_server(tmp_path) -> None:
    with own_server(tmp_path, open_to_all=True) as url:
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Host": "evil.example"},
            {"Host": f"rebound.example:{urlsplit(url).port}"},
        ):
            status, sent, text = ask(url, **CREATE_QUEUE, **headers)
            assert status == 403, headers
            assert text.startswith("The local AWS answers "), headers
            assert not [name for name in sent if name.lower().startswith("access-control")]
        status, sent, _ = ask(url, "OPTIONS", Origin="http://evil.example")
        assert status == 403
        assert not [name for name in sent if name.lower().startswith("access-control")]
        assert "QueueUrls" not in Aws(url).sqs.list_queues()
        stranger = boto3.client(
            "sqs", endpoint_url=url, region_name=REGION, aws_access_key_id="any",
            aws_secret_access_key="any",
        )  # fmt: skip
        assert stranger.create_queue(QueueName="of-a-program")["QueueUrl"]


def test_the_servers_own_pages_want_the_key(tmp_path) -> None:
    with own_server(tmp_path, open_to_all=True) as url:
        Aws(url).queue("stays")
        for method, path in (
            ("POST", "/moto-api/reset"),
            ("GET", "/moto-api/data.json"),
            ("POST", "/moto-api/state-manager/set-transition"),
            ("GET", "/latest/meta-data/iam/security-credentials/"),
            ("GET", "/_localaws"),
            ("DELETE", "/_localaws"),
        ):
            for authorization in ({}, {"Authorization": "Bearer guess"}):
                status, _, text = ask(url, method, path, **authorization)
                assert (status, text[:26]) == (403, "This page of the local AWS"), path
        assert len(Aws(url).sqs.list_queues()["QueueUrls"]) == 1
        bearer = {"Authorization": f"Bearer {state(tmp_path)['secret_access_key']}"}
        assert ask(url, "GET", "/_localaws", **bearer)[0] == 200
        assert ask(url, "POST", "/moto-api/reset", **bearer)[0] == 200
        assert "QueueUrls" not in Aws(url).sqs.list_queues()


PAGE = """<!doctype html><title>begins</title><script>
const aws = "ENDPOINT";
const json = {"Content-Type": "application/x-amz-json-1.0",
              "X-Amz-Target": "AmazonSQS.CreateQueue"};
const tries = [
  () => fetch(aws, {method: "POST", headers: json, body: '{"QueueName": "of-a-page"}'}),
  () => fetch(aws, {method: "POST", mode: "no-cors", body: "Action=CreateQueue&QueueName=of-a-page",
                    headers: {"Content-Type": "application/x-www-form-urlencoded"}}),
  () => fetch(aws + "/moto-api/reset", {method: "POST", mode: "no-cors"}),
  () => fetch(aws + "/_localaws", {method: "DELETE"}),
  () => new Promise(done => { const image = new Image();
    image.onload = () => done("seen"); image.onerror = () => done("error");
    image.src = aws + "/?Action=CreateQueue&QueueName=of-a-page"; }),
];
Promise.allSettled(tries.map(each => each())).then(ends => {
  const said = ends.map(each => each.status == "rejected" ? "blocked" :
    each.value.type == "opaque" ? "opaque" : String(each.value.status || each.value));
  document.title = "ended"; document.body.textContent = said.join(" ");
});
</script>"""


@pytest.fixture
def web_page() -> Iterator[Any]:
    """A page of another site: `serve(endpoint)` returns its URL."""

    class Handler(BaseHTTPRequestHandler):
        page = b""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(Handler.page)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(endpoint: str) -> str:
        Handler.page = PAGE.replace("ENDPOINT", endpoint).encode()
        return f"http://localhost:{server.server_port}/"

    yield serve
    server.shutdown()


def browse(url: str, folder: Path, *options: str) -> str:
    """What a page says in headless Chromium when its scripts have run."""
    command_line = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={folder}", "--virtual-time-budget=8000", *options, "--dump-dom", url),
    ]
    return subprocess.run(
        command_line, capture_output=True, text=True, timeout=120, check=True
    ).stdout


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_page_in_a_browser_reaches_nothing(tmp_path, web_page) -> None:
    with own_server(tmp_path / "aws", open_to_all=True) as url:
        kept, _ = Aws(url).queue("stays")
        port = urlsplit(url).port
        said = browse(web_page(url), tmp_path / "browser")
        assert "<title>ended</title>" in said
        assert "blocked opaque opaque blocked error" in said
        rebound = browse(
            f"http://rebound.example:{port}/?Action=CreateQueue&QueueName=of-a-page",
            tmp_path / "browser",
            f"--host-resolver-rules=MAP rebound.example 127.0.0.1:{port}",
        )
        assert "The local AWS answers to localhost and 127.0.0.1 only" in rebound
        assert Aws(url).sqs.list_queues()["QueueUrls"] == [kept]


# -- other users of the computer -----------------------------------------------------------------

# It loads what it needs while it still may read this user's files.
INTRUDER = """
import json, os, pathlib, sys, urllib.error, urllib.request
import boto3
from botocore.config import Config
url, folder, pid = sys.argv[1:]
tries = {}

def attempt(name, call):
    try:
        call()
        tries[name] = "done"
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        tries[name] = code or f"{type(error).__name__}: {error}"

def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}))

sqs, lambda_ = client("sqs"), client("lambda")

def calls():
    attempt("list", sqs.list_queues)
    attempt("change", lambda: sqs.create_queue(QueueName="of-an-intruder"))
    attempt("run", lambda: lambda_.invoke(FunctionName="f"))
    attempt("end", lambda: urllib.request.urlopen(
        urllib.request.Request(url + "/_localaws", method="DELETE")))

calls()
os.setgroups([]), os.setgid(65534), os.setuid(65534)
calls()
attempt("key", lambda: pathlib.Path(folder, "state.json").read_text())
attempt("files", lambda: os.listdir(pathlib.Path(folder, "files")))
attempt("kill", lambda: os.kill(int(pid), 15))
attempt("environment", lambda: pathlib.Path(f"/proc/{pid}/environ").read_bytes())
print(json.dumps(tries))
"""


@pytest.mark.skipif(
    getattr(os, "geteuid", lambda: -1)() != 0, reason="only root can become another user"
)
def test_another_user_can_neither_read_nor_change_nor_end_nor_run() -> None:
    """The folder is one that others may enter: the files in it have to be closed themselves."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with own_server(Path(folder)) as url:
            pid = str(state(Path(folder))["pid"])
            intruder = [sys.executable, "-c", INTRUDER, url, folder, pid]
            done = subprocess.run(
                intruder, capture_output=True, text=True, timeout=60, check=True, cwd="/"
            )
            tries = json.loads(done.stdout)
            for name in ("key", "files", "kill", "environment"):
                assert tries.pop(name).startswith("PermissionError"), name
            assert tries == {
                "list": "InvalidClientTokenId",
                "change": "InvalidClientTokenId",
                "run": "UnrecognizedClientException",
                "end": "HTTPError: HTTP Error 403: Forbidden",
            }
            assert "QueueUrls" not in Aws(url).sqs.list_queues()


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_the_key_is_for_its_owner_only(tmp_path) -> None:
    with own_server(tmp_path) as _:
        assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700
        assert state(tmp_path)["secret_access_key"] not in (tmp_path / "server.log").read_text()


def test_two_local_aws_have_two_keys(tmp_path) -> None:
    with own_server(tmp_path / "a") as one, own_server(tmp_path / "b") as other:
        function = Aws(one).function(HEAD + "    return 1\n")
        mine = state(tmp_path / "b")
        stranger = boto3.client(
            "lambda",
            endpoint_url=one,
            region_name=REGION,
            aws_access_key_id=mine["access_key_id"],
            aws_secret_access_key=mine["secret_access_key"],
            config=Config(**ONCE),
        )
        refused = refusal(stranger.invoke, FunctionName=function)
        assert refused == (403, "UnrecognizedClientException", UNKNOWN)
        bearer = {"Authorization": f"Bearer {mine['secret_access_key']}"}
        assert ask(one, "DELETE", "/_localaws", **bearer)[0] == 403
        assert Aws(other).sqs.list_queues()["ResponseMetadata"]


# -- how another program is told -----------------------------------------------------------------


def test_the_lines_for_a_shell_let_another_program_in(tmp_path) -> None:
    program = "import boto3; print(boto3.client('sqs').list_queues()['ResponseMetadata'] != {})"
    with own_server(tmp_path):
        lines = command(tmp_path, "env", "--shell", "sh").stdout
        assert command(tmp_path, "start").stdout.splitlines()[0].startswith("http://127.0.0.1:")
        assert lines in command(tmp_path, "start").stdout
        if os.name == "posix":
            script = (
                f'AWS_PROFILE=none AWS_SESSION_TOKEN=old\n{lines}"{sys.executable}" -c "{program}"'
            )
            done = subprocess.run(
                ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True
            )
            assert done.stdout == "True\n"
        shown = command(tmp_path, "env", "--shell", "powershell").stdout
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            assert f'$env:{name} = "' in shown
    ended = command(tmp_path, "env")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "The local AWS does not run: start it first.\n"


def test_open_is_said_in_a_sentence(tmp_path) -> None:
    with own_server(tmp_path, open_to_all=True):
        assert "It is open: whoever can reach it" in command(tmp_path, "start").stdout
    with own_server(tmp_path):
        again = command(tmp_path, "start", "--open")
        assert again.returncode == 1
        assert again.stderr == (
            "It ran already, and takes its own access key only. Stop it first.\n"
        )


def test_a_key_cannot_be_taken_for_one_of_aws() -> None:
    key, other = make_access_key(), make_access_key()
    assert (len(key.id), len(key.secret), key.id[:8]) == (20, 40, "LOCALAWS")
    assert key.id != other.id
    assert key.secret != other.secret
    assert f"export AWS_ACCESS_KEY_ID={key.id}" in shell_lines("http://x", key, "sh")


def test_credentials_of_a_handler_end_with_its_environment(aws) -> None:
    source = "import os\n" + HEAD + "    return {k: os.environ[k] for k in KEYS}\n"
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    name = aws.function(source.replace("KEYS", repr(names)))
    given = aws.invoke(name).value
    client = aws.client("sts", **{each.lower(): given[each] for each in names})
    assert f":assumed-role/{aws.role_name}/{name}" in client.get_caller_identity()["Arn"]
    aws.lambda_.delete_function(FunctionName=name)
    assert refusal(client.get_caller_identity)[1] == "InvalidClientTokenId"
