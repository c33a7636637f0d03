"""Who may call the local AWS: a program on this computer that has its access key.

Handlers run as the user who started the server, so whoever can call it can run code as that
user. A call is signed with the server's own key, with a key that IAM made, or with temporary
credentials that STS gave out; everything else gets AWS's own refusal. A page in a browser is
refused before that, whatever it sends: what a browser sends in another page's name carries
Origin or Sec-Fetch-Site, and a host name that was bound to this computer stands in Host.
Source of the codes and texts: "Common error types" in the API references of the services,
and what users of AWS report.
"""

from __future__ import annotations

import functools
import hmac
import ipaddress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from helpers.localaws.front import signatures
from helpers.localaws.front.protocols import (
    Answer,
    Fault,
    error_answer,
    plain_answer,
    protocol_of,
    read_body,
    service_of,
)
from helpers.localaws.front.signatures import Signature
from helpers.localaws.keys import AccessKey
from helpers.localaws.permissions import sts
from helpers.localaws.permissions.sts import Credentials

NO_SIGNATURE = Fault(
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "Request is missing Authentication Token",
)
UNKNOWN_KEY = Fault(
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
)
EXPIRED = Fault(
    "ExpiredToken",
    "ExpiredTokenException",
    "The security token included in the request is expired",
)
INCOMPLETE = Fault("IncompleteSignature", "IncompleteSignatureException", "")
WRONG_SIGNATURE = Fault(
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details.",
)
S3_FAULTS = {
    NO_SIGNATURE: Fault("AccessDenied", "", "Access Denied"),
    UNKNOWN_KEY: Fault(
        "InvalidAccessKeyId",
        "",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
}


class Caller(NamedTuple):
    """Who calls what. `session`: that of a role, for calls with its temporary credentials."""

    service: str
    region: str
    session: Any = None
    key_id: str = ""


class Access:
    """Decides about each request to a server with this key.

    `open_to_all`: any key will do, but still from no web page.
    """

    def __init__(self, key: AccessKey, open_to_all: bool) -> None:
        self._key = key
        self._open = open_to_all

    def identify(self, environ: dict[str, Any]) -> Caller | Answer:
        """Who calls, or the refusal of the call. Reads its body only if the key is known."""
        try:
            given = signatures.read(environ)
        except signatures.Incomplete as error:
            incomplete = INCOMPLETE._replace(message=str(error))
            return refusal(environ, service_of(environ), incomplete)
        if given is None:
            return refusal(environ, service_of(environ), NO_SIGNATURE)
        found = self._find(given)
        if not self._open:
            fault = self._fault(environ, given, found)
            if fault is not None:
                return refusal(environ, given.service, fault)
        session = found.role_session if found else None
        return Caller(given.service, given.region, session, given.key_id)

    def holds_key(self, environ: dict[str, Any]) -> bool:
        """Whether a request for a page of the server itself shows the secret part of its key."""
        shown = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode("latin-1"), self._key.secret.encode())

    def credentials(self, key_id: str) -> dict[str, str]:
        """What boto3 signs with as the holder of a key; a key that is not known is our own."""
        found = sts.find_credentials(key_id)
        if found is None:
            return {"aws_access_key_id": self._key.id, "aws_secret_access_key": self._key.secret}
        token = {"aws_session_token": found.token} if found.token else {}
        return {"aws_access_key_id": key_id, "aws_secret_access_key": found.secret, **token}

    def _find(self, given: Signature) -> Credentials | None:
        if given.key_id == self._key.id:
            return Credentials(self._key.secret)
        return sts.find_credentials(given.key_id)

    @staticmethod
    def _fault(
        environ: dict[str, Any], given: Signature, found: Credentials | None
    ) -> Fault | None:
        if found is None or found.token != given.token:
            return UNKNOWN_KEY
        if found.expired:
            return EXPIRED
        try:
            signatures.check_time(given, datetime.now(UTC))
        except signatures.OutOfTime as error:
            return WRONG_SIGNATURE._replace(message=str(error))
        except signatures.Incomplete as error:
            return INCOMPLETE._replace(message=str(error))
        right = signatures.is_right(environ, read_body(environ), given, found.secret)
        return None if right else WRONG_SIGNATURE


def refusal(environ: dict[str, Any], service: str, fault: Fault) -> Answer:
    if service == "s3":
        fault = S3_FAULTS.get(fault, fault)
    elif fault is NO_SIGNATURE and service != "sqs" and protocol_of(environ) != "query":
        fault = fault._replace(message="Missing Authentication Token")
    return error_answer(environ, service, fault)


def refuse_page(environ: dict[str, Any]) -> Answer | None:
    """The answer to what a web page sends, or to a name that is not this computer's own."""
    host = environ.get("HTTP_HOST", "")
    if not is_loopback(host):
        return plain_answer(
            403,
            f"The local AWS answers to localhost and 127.0.0.1 only, and this request is for "
            f"{host!r}.",
        )
    from_page = "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none"
    if from_page:
        return plain_answer(
            403, "The local AWS answers programs on this computer, and no page in a browser."
        )
    return None


@functools.lru_cache(maxsize=100)
def is_loopback(host: str) -> bool:
    """Whether a Host header names this computer itself, with any port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True  # no name server is asked for these: RFC 6761, 6.3
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
