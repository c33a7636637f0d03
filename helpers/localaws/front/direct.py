"""Calls that are answered without moto's front: those of SQS, and Invoke.

They are what a pipeline calls all the time. moto's way of a call, through Flask, takes several
times as long as what they do. All other calls go that way.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.request import Request
from moto.iam.models import get_account_id_from, mark_account_as_visited
from moto.sqs.models import sqs_backends

from helpers.localaws.common.responses import Response
from helpers.localaws.front.access import Caller
from helpers.localaws.front.protocols import (
    Answer,
    answer_with,
    operation_said,
    protocol_of,
    read_body,
)
from helpers.localaws.invocations import answers as invocations
from helpers.localaws.queues import answers as queues
from helpers.localaws.queues import operations
from helpers.localaws.queues.message_store import never
from helpers.localaws.settings import CLIENT_IS_GONE

SERVICES = ("sqs", "lambda")
INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
SERVER = {"Server": "amazon.com"}  # as moto's own answers have it


def answer(environ: dict[str, Any], caller: Caller) -> Answer | None:
    """The answer to a call of SQS or Invoke; None when it is another one, or none at all.

    Raises NotImplementedError for an operation of SQS that is not there, and ValueError or
    RecursionError for a body that cannot be read.
    """
    if caller.service not in SERVICES:
        return None
    protocol = protocol_of(environ)
    response = None
    if caller.service == "sqs" and protocol != "rest":
        response = answer_sqs(environ, caller, protocol)
    elif caller.service == "lambda" and protocol == "rest" and environ["REQUEST_METHOD"] == "POST":
        path = INVOKE.fullmatch(environ["PATH_INFO"])
        response = invoke(environ, caller, path[1]) if path else None
    if response is None:
        return None
    return answer_with(response.status, SERVER | response.headers, response.body)


def answer_sqs(environ: dict[str, Any], caller: Caller, protocol: str) -> Response:
    of_call = operations.Caller(
        sqs_backends[account_of(caller)][caller.region],
        f"http://{environ['HTTP_HOST']}",
        environ.get("HTTP_X_AMZN_TRACE_ID", ""),
        environ.get(CLIENT_IS_GONE, never),
    )
    if protocol == "json":
        return queues.answer_json(operation_said(environ), read_body(environ), of_call)
    request = Request(environ)
    return queues.answer_query(request.values.to_dict(), request.path, of_call)


def invoke(environ: dict[str, Any], caller: Caller, name: str) -> Response:
    backend = lambda_simple_backends[account_of(caller)][caller.region]
    query = parse_qs(environ.get("QUERY_STRING", ""))
    call = invocations.Call(
        unquote(name.encode("latin-1").decode(errors="replace")),
        query.get("Qualifier", [None])[0],
        read_body(environ) or b"{}",
        environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse"),
        environ.get("HTTP_X_AMZ_LOG_TYPE", ""),
        environ.get("HTTP_X_AMZ_CLIENT_CONTEXT", ""),
    )
    return invocations.invoke(backend, call)


def account_of(caller: Caller) -> str:
    """The account that a key belongs to. IAM notes that the key was used."""
    account: str = get_account_id_from(caller.key_id)
    mark_account_as_visited(account, caller.key_id, caller.service, caller.region)
    return account
