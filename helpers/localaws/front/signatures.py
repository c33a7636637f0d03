"""Signature Version 4 as a server sees it: what a request says, and what should be there.

The signature itself is calculated by botocore, which signs the calls of boto3. Sources: "AWS
Signature Version 4 for API requests" in the IAM User Guide; error texts as users of AWS
report them.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
CLOCK_MAY_DIFFER = timedelta(minutes=5)
LONGEST_S = 604_800  # a presigned URL is valid for a week at most
UNSIGNED_BODIES = ("UNSIGNED-PAYLOAD", "STREAMING-")  # of S3
CGI_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Incomplete(ValueError):
    """A request's signature lacks something; the message is AWS's."""


class OutOfTime(ValueError):
    """A request's signature is too old, or not valid yet; the message is AWS's."""


@dataclass(frozen=True)
class Signature:
    """What a request says of its signature. `in_url`: it is that of a presigned URL."""

    key_id: str
    date: str
    region: str
    service: str
    time: str
    headers: tuple[str, ...]
    signature: str
    token: str | None = None
    expires_s: int = 0
    in_url: bool = False


def read(environ: dict[str, Any]) -> Signature | None:
    """The signature of a request; None when it has none. Raises Incomplete."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header.startswith(ALGORITHM):
        return read_header(environ, header)
    if "X-Amz-Signature=" in environ.get("QUERY_STRING", ""):
        return read_query(dict(parse_qsl(environ["QUERY_STRING"])))
    return None


def read_header(environ: dict[str, Any], header: str) -> Signature:
    parts = dict(
        part.strip().split("=", 1)
        for part in header.removeprefix(ALGORITHM).split(",")
        if "=" in part
    )
    time = environ.get("HTTP_X_AMZ_DATE") or environ.get("HTTP_DATE")
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not time:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if missing or time is None:
        raise Incomplete(f"{' '.join(missing)} Authorization={ALGORITHM}")
    return Signature(
        *read_scope(parts["Credential"]),
        time=time,
        headers=tuple(parts["SignedHeaders"].lower().split(";")),
        signature=parts["Signature"],
        token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
    )


def read_query(query: dict[str, str]) -> Signature:
    """The signature in the query string of a presigned URL."""
    try:
        return Signature(
            *read_scope(query["X-Amz-Credential"]),
            time=query["X-Amz-Date"],
            headers=tuple(query["X-Amz-SignedHeaders"].lower().split(";")),
            signature=query["X-Amz-Signature"],
            token=query.get("X-Amz-Security-Token"),
            expires_s=min(int(query["X-Amz-Expires"]), LONGEST_S),
            in_url=True,
        )
    except (KeyError, ValueError) as error:
        raise Incomplete(f"AWS query-string parameters must include {error}") from None


def read_scope(credential: str) -> tuple[str, str, str, str]:
    """Key id, date, region and service of a credential scope."""
    parts = credential.split("/")
    if len(parts) != 5:
        raise Incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{credential}'"
        )
    return parts[0], parts[1], parts[2], parts[3]


def check_time(signature: Signature, now: datetime) -> None:
    """Raises OutOfTime when the signature was not made within five minutes of `now`.

    A presigned URL is valid for as long as it says.
    """
    made = read_time(signature.time)
    lasts = timedelta(seconds=signature.expires_s) if signature.in_url else CLOCK_MAY_DIFFER
    if now - made > lasts:
        limit = now - lasts
        raise OutOfTime(
            f"Signature expired: {signature.time} is now earlier than {limit:{TIME_FORMAT}} "
            f"({now:{TIME_FORMAT}} - 5 min.)"
        )
    if made - now > CLOCK_MAY_DIFFER:
        limit = now + CLOCK_MAY_DIFFER
        raise OutOfTime(
            f"Signature not yet current: {signature.time} is still later than "
            f"{limit:{TIME_FORMAT}} ({now:{TIME_FORMAT}} + 5 min.)"
        )


@functools.lru_cache(maxsize=100)
def read_time(text: str) -> datetime:
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise Incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{text}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def is_right(environ: dict[str, Any], body: bytes, given: Signature, secret: str) -> bool:
    """Whether a request was signed with this secret access key."""
    said = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    body_hash = hashlib.sha256(body).hexdigest()
    if given.service == "s3" and (given.in_url or said.startswith(UNSIGNED_BODIES)):
        body_hash = said or UNSIGNED_BODIES[0]
    elif said and said != body_hash:
        return False
    calculated = calculate(environ, body_hash, given, secret)
    return hmac.compare_digest(calculated.encode(), given.signature.encode("utf-8", "replace"))


def calculate(environ: dict[str, Any], body_hash: str, given: Signature, secret: str) -> str:
    """The signature that a request with this secret access key has, in hexadecimal digits."""
    scheme = SaidOfS3 if given.service == "s3" else Said
    auth = scheme(Credentials(given.key_id, secret), given.service, given.region)
    url = f"http://{environ['HTTP_HOST']}{environ['REQUEST_URI']}"
    request = SaidRequest(
        environ["REQUEST_METHOD"],
        without_signature(url) if given.in_url else url,
        headers_of(environ, given),
        {"timestamp": given.time, "body_hash": body_hash},
    )
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


def headers_of(environ: dict[str, Any], given: Signature) -> SaidHeaders:
    return SaidHeaders(
        (name, environ.get(CGI_NAMES.get(name) or f"HTTP_{name.upper().replace('-', '_')}", ""))
        for name in given.headers
    )


def without_signature(url: str) -> str:
    path, _, query = url.partition("?")
    kept = [part for part in query.split("&") if not part.startswith("X-Amz-Signature=")]
    return f"{path}?{'&'.join(kept)}"


class SaidHeaders(dict[str, str]):
    """Headers by their names in lower case, each of them once; read as botocore reads headers."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]


class SaidRequest(NamedTuple):
    """What botocore reads of a request to sign it; its own kind takes longer than signing does."""

    method: str
    url: str
    headers: SaidHeaders
    context: dict[str, str]
    params: None = None  # they are in the URL


class Said(SigV4Auth):
    """botocore's calculation with the headers that the request says, which may be any."""

    def headers_to_sign(self, request: SaidRequest) -> SaidHeaders:
        return request.headers

    def payload(self, request: SaidRequest) -> str:
        return request.context["body_hash"]


class SaidOfS3(Said, S3SigV4Auth):
    """The same for S3, which takes a path as it is."""
