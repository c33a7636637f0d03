"""The parameters of an SQS request, with the types that the API's own model gives them.

A value of another type is refused with AWS's words of its JSON protocol (as its users report
them: async-aws/aws#1667, aws-amplify/amplify-js#13265), a missing one with those of LS-121. An
absent list or map is an empty one: what that means is for the operation to say.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core import parse
from moto.sqs.exceptions import InvalidParameterValue, MissingParameter, SQSException

INTEGERS = range(-(2**31), 2**31)
NAMES = {
    "string": "a String",
    "integer": "an Integer",
    "blob": "a ByteBuffer",
    "boolean": "a Boolean",
}


def read_json(shape: Shape, body: bytes) -> dict[str, Any]:
    """The parameters in a JSON body. `shape`: of the operation's input.

    Raises SQSException with what AWS answers; ValueError and RecursionError when the body is
    no JSON.
    """
    return read_structure(shape, json.loads(body) if body else {}, "")


def read_query(operation: Any, values: dict[str, str], path: str) -> dict[str, Any]:
    """The parameters of a request in the query protocol, where the path may name the queue.

    Raises SQSException with what AWS answers.
    """
    name = path.rsplit("/", 1)[-1]
    given = {"QueueUrl": name, **values} if name else values
    parameters = QueryParser(operation).parse({"values": given})
    check_complete(operation.input_shape, parameters, "")
    return parameters


def read(shape: Shape, value: Any, where: str) -> Any:
    """A value of a JSON body; `where` is how AWS writes its place."""
    if isinstance(shape, StructureShape):
        return read_structure(shape, {} if value is None else value, where)
    if isinstance(shape, ListShape):
        return read_list(shape, value, where)
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            raise malformed("Expected map or null")
        return {key: read(shape.value, each, where) for key, each in value.items()}
    return read_scalar(shape.type_name, value)


def read_structure(shape: StructureShape, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed(not_expected(value) or "Unexpected value type in payload")
    known = {
        name: read(member, value[name], f"{where}{name}")
        for name, member in shape.members.items()
        if value.get(name) is not None
    }
    check_complete(shape, known, where)
    return known


def read_list(shape: ListShape, value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise malformed("Expected list or null")
    member = shape.member
    return [read(member, each, f"{member.name}.{n}.") for n, each in enumerate(value, 1)]


def read_scalar(kind: str, value: Any) -> Any:
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "integer" and type(value) is int and value in INTEGERS:
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "blob" and isinstance(value, str):
        return read_base64(value)
    raise malformed(not_expected(value) or f"{token(value)} can not be converted to {NAMES[kind]}")


def read_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise malformed(f"{token(text)} can not be converted to {NAMES['blob']}") from None


def check_complete(shape: StructureShape, known: dict[str, Any], where: str) -> None:
    """That no required text or number is missing. `where` ends with a dot, or is empty.

    What message attributes lack is refused with other words, by `refusals`.
    """
    if shape.name in ("MessageAttributeValue", "MessageSystemAttributeValue"):
        return
    for name in shape.required_members:
        if name not in known and not isinstance(shape.members[name], (ListShape, MapShape)):
            raise MissingParameter(f"{where}{name}")


def not_expected(value: Any) -> str:
    if isinstance(value, dict):
        return "Start of structure or map found where not expected."
    return "Start of list found where not expected" if isinstance(value, list) else ""


def token(value: Any) -> str:
    """What AWS's JSON parser calls a value."""
    if value is None or isinstance(value, bool):
        return f"{json.dumps(value).upper()}_VALUE"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def malformed(text: str) -> SQSException:
    return SQSException("SerializationException", text)


class QueryParser(parse.QueryParser):
    """moto's parser, which fails when a value is no number or no base64. Our words."""

    def _parse_structure(self, shape: Shape, query_params: Any, prefix: str = "") -> Any:
        parsed = super()._parse_structure(shape, query_params, prefix)
        if prefix and parsed is not parse.UNDEFINED:
            check_complete(shape, parsed, f"{prefix}.")
        return parsed

    def _parse_integer(self, shape: Shape, query_params: Any, prefix: str = "") -> Any:
        return self._or_refuse(super()._parse_integer, "an integer", shape, query_params, prefix)

    def _parse_blob(self, shape: Shape, query_params: Any, prefix: str = "") -> Any:
        return self._or_refuse(super()._parse_blob, "base64", shape, query_params, prefix)

    def _or_refuse(self, read: Any, what: str, shape: Shape, given: Any, name: str) -> Any:
        try:
            return read(shape, given, name)
        except ValueError:
            raise InvalidParameterValue(
                f"Value {given[name]} for parameter {name} is invalid. Reason: Must be {what}."
            ) from None
