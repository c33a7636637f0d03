"""DynamoDB's tables, which are CREATING and DELETING for a while."""

from __future__ import annotations

import json

from helpers.localaws.front.protocols import Answer, Fault, error_answer, make_answer
from helpers.localaws.rehearsal.conditions import Conditions, Effect, OldValues, Request

# As users report them: hashicorp/terraform-provider-aws #3355, terraform-aws-dynamodb-table #51.
IN_USE = "Attempt to change a resource which is still in use: Table is being {}: {}"
NOT_FOUND = Fault("", "ResourceNotFoundException", "Requested resource not found", 400)
CHANGES = ("CreateTable", "DeleteTable", "UpdateTable")


class SlowTables(Effect):
    """A new table cannot be used at once, and a deleted one keeps its name for a while."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._new, self._deleted = OldValues(conditions), OldValues(conditions)

    def before(self, request: Request) -> Answer | None:
        key = key_of(request)
        if not key:
            return None
        deleted = self._deleted.see(key)
        works = request.operation in ("CreateTable", "DescribeTable") or not self._new.see(key)
        if deleted is None and works:
            return None
        self.conditions.report.count("table")
        if deleted is not None and request.operation == "DescribeTable":
            text = json.dumps({"Table": deleted[0]})
            return make_answer(200, {"Content-Type": "application/x-amz-json-1.0"}, text)
        fault = NOT_FOUND
        if request.operation in CHANGES:
            doing = "created" if deleted is None else "deleted"
            message = IN_USE.format(doing, request.parameters["TableName"])
            fault = Fault("", "ResourceInUseException", message, 400)
        return error_answer(request.environ, "dynamodb", fault)

    def after(self, request: Request, body: bytes) -> bytes:
        key = key_of(request)
        if not key:
            return body
        if request.operation == "CreateTable":
            self._new.keep(key, True, self.conditions.delay_s("table created", key))
            return with_status(body, "TableDescription", "CREATING")
        if request.operation == "DeleteTable":
            body = with_status(body, "TableDescription", "DELETING")
            description = json.loads(body)["TableDescription"]
            self._deleted.keep(key, description, self.conditions.delay_s("table deleted", key))
        elif request.operation == "DescribeTable" and self._new.see(key):
            return with_status(body, "Table", "CREATING")
        return body


def key_of(request: Request) -> str:
    """What a table is known by; "" for calls that are about none."""
    name = request.parameters.get("TableName")
    if request.call.service != "dynamodb" or not isinstance(name, str):
        return ""
    return f"{request.call.account}:{request.call.region}:{name.rpartition('/')[2]}"


def with_status(body: bytes, place: str, status: str) -> bytes:
    answer = json.loads(body)
    answer[place]["TableStatus"] = status
    return json.dumps(answer).encode()
