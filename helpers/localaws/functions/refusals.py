"""What Lambda refuses of a function: its name, settings, package and role."""

from __future__ import annotations

import base64
import io
import json
import re
import stat
import zipfile
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.s3.exceptions import MissingBucket, MissingKey
from moto.s3.models import s3_backends

from helpers.localaws.common import arns
from helpers.localaws.common.errors import (
    conflict,
    not_found,
    too_large,
    violation,
    violation_text,
)
from helpers.localaws.permissions.roles import LAMBDA_SERVICE, Role

MAX_REQUEST_BYTES = 70_167_211  # LS-085, as the next two
MAX_ZIP_BYTES = 52_428_800
MAX_UNZIPPED_BYTES = 262_144_000
MAX_ENVIRONMENT_BYTES = 4096
MAX_FILE_NAME_BYTES = 255  # of Linux's file systems
MAX_NAME = 64
MAX_TIMEOUT_S = 900
# What a new account may have; for others it is 10,240 MB. Lambda Developer Guide, "Troubleshoot
# deployment issues in Lambda: Lambda: Concurrency and memory quotas".
MAX_MEMORY_MB = 3008

# The patterns are those of Lambda's API model, the first one also as it was recorded (LS-083).
REGION_PATTERN = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"
NAME_PATTERN = (
    rf"(arn:(aws[a-zA-Z-]*)?:lambda:)?({REGION_PATTERN}:)?(\d{{12}}:)?"
    r"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
NAME = re.compile(NAME_PATTERN)
PLAIN_NAME = re.compile(r"[a-zA-Z0-9-_]+")
REGION, FUNCTION_NAME, QUALIFIER = 3, 11, 13  # groups of NAME
QUALIFIER_PATTERN = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
PATTERN_WORDS = "Member must satisfy regular expression pattern: "
ALIAS_PATTERN = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
TAGGABLE_PATTERN = (
    rf"arn:(aws[a-zA-Z-]*):lambda:{REGION_PATTERN}:\d{{12}}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|"
    rf"event-source-mapping:{UUID_PATTERN}|"
    r"(capacity-provider|network-connector):[a-zA-Z0-9-_]{1,64})"
)
PERMISSION_PATTERNS = {
    "StatementId": "([a-zA-Z0-9-_]+)",
    "Action": r"(lambda:[*]|lambda:[a-zA-Z]+|[*])",
    "Principal": r"[^\s]+",
    "SourceAccount": r"\d{12}",
}
WEIGHT_CONSTRAINT = (
    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member "
    "must have value greater than or equal to 0.0, Member must not be null]"
)
VERSION_CONSTRAINT = (
    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member "
    "must have length greater than or equal to 1, Member must satisfy regular expression pattern: "
    "[0-9]+]"
)
MAX_TAGS = 50  # of a function or a mapping
MAX_LAYERS = 5
VARIABLE_PATTERN = "[a-zA-Z]([a-zA-Z0-9_])+"
ROLE_PATTERN = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"

RUNTIMES = (
    "nodejs20.x", "nodejs22.x", "nodejs24.x", "python3.8", "python3.9", "python3.10",
    "python3.11", "python3.12", "python3.13", "python3.14", "java8.al2", "java11", "java17",
    "java21", "java25", "dotnet8", "dotnet10", "ruby3.2", "ruby3.3", "ruby3.4", "provided.al2",
    "provided.al2023",
)  # fmt: skip
ARCHITECTURES = ("x86_64", "arm64")
RETIRED_RUNTIMES = ("python3.7", "python3.6", "python2.7")

# Lambda Developer Guide, "Working with Lambda environment variables: Reserved environment
# variables".
RESERVED_VARIABLES = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
UNCONFIGURABLE = (
    "Lambda was unable to configure your environment variables because the environment variables "
    "you have provided "
)


# -- names -----------------------------------------------------------------------------------


def split_name(given: str, qualifier: str | None, region: str) -> tuple[str, str | None]:
    """The name and the qualifier in a name, a partial or a full ARN of a function.

    `qualifier` is the one that the caller gave beside it. Raises what Lambda answers to
    something that is no name, to an ARN of another region (LS-142) and to two qualifiers.
    """
    match = NAME.fullmatch(given)
    if match is None:
        raise violation(given, "functionName", f"{PATTERN_WORDS}{NAME_PATTERN}")
    if qualifier:
        check_pattern(qualifier, "qualifier", QUALIFIER_PATTERN)
    other_region = (match[REGION] or region).removesuffix(":")
    if other_region != region:
        raise not_found(
            f"Functions from '{other_region}' are not reachable in this region ('{region}')"
        )
    if qualifier and match[QUALIFIER] and match[QUALIFIER] != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return match[FUNCTION_NAME], qualifier or match[QUALIFIER]


def name_to_create(given: str, region: str) -> str:
    """The name in what CreateFunction was given (LS-083)."""
    if PLAIN_NAME.fullmatch(given) and len(given) > MAX_NAME:
        constraint = f"Member must have length less than or equal to {MAX_NAME}"
        raise InvalidParameterValueException(violation_text(given, "functionName", constraint))
    return split_name(given, None, region)[0]


def check_alias_name(name: str) -> None:
    check_pattern(name, "name", ALIAS_PATTERN)


def check_pattern(value: str, where: str, pattern: str) -> None:
    if not re.fullmatch(pattern, str(value)):
        raise violation(value, where, f"{PATTERN_WORDS}{pattern}")


# -- aliases ---------------------------------------------------------------------------------


def check_weights(version: str, weights: dict[str, float]) -> None:
    """The versions that share an alias's calls with its own (DF-14)."""
    if len(weights) > 1:
        raise InvalidParameterValueException(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    for other, weight in weights.items():
        shown = f"{{{other}={weight}}}"
        where = "routingConfig.additionalVersionWeights"
        if not 0.0 <= weight < 1.0:
            raise violation(shown, where, WEIGHT_CONSTRAINT)
        if other == version:
            raise InvalidParameterValueException(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        if version == "$LATEST":
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if not other.isdecimal():
            raise violation(shown, where, VERSION_CONSTRAINT)


# -- permissions and tags --------------------------------------------------------------------


def check_permission(wanted: dict[str, Any]) -> None:
    """The texts that AddPermission is given (DF-15)."""
    for name, pattern in PERMISSION_PATTERNS.items():
        where = f"{name[0].lower()}{name[1:]}"
        if wanted.get(name) is not None:
            check_pattern(wanted[name], where, pattern)
        elif name != "SourceAccount":
            raise LambdaClientError(
                "ValidationException",
                f"1 validation error detected: Value null at '{where}' failed to satisfy "
                "constraint: Member must not be null",
            )


def check_tags(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.")


def split_taggable(arn: str) -> tuple[str, str]:
    """The kind and the name of what an ARN means that tags are put on (DF-20)."""
    check_pattern(arn, "resource", TAGGABLE_PATTERN)
    kind, name, *qualifier = arn.split(":")[5:]
    if kind == "function" and qualifier:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function "
            "ARN."
        )
    return kind, name


# -- settings --------------------------------------------------------------------------------


def check_settings(spec: dict[str, Any]) -> None:
    """What CreateFunction and UpdateFunctionConfiguration check alike (LS-082, LS-084)."""
    if spec.get("Runtime", RUNTIMES[0]) not in RUNTIMES:
        raise runtime_refusal(spec["Runtime"])
    check_architectures(spec.get("Architectures") or [])
    if len(spec.get("Layers") or []) > MAX_LAYERS:
        raise InvalidParameterValueException(f"Cannot reference more than {MAX_LAYERS} layers.")
    if spec.get("Timeout", 0) > MAX_TIMEOUT_S:
        constraint = f"Member must have value less than or equal to {MAX_TIMEOUT_S}"
        raise violation(spec["Timeout"], "timeout", constraint)
    if spec.get("MemorySize", 0) > MAX_MEMORY_MB:
        raise InvalidParameterValueException(
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or "
            f"equal to {MAX_MEMORY_MB}"
        )
    check_variables((spec.get("Environment") or {}).get("Variables") or {})


def check_architectures(names: list[str]) -> None:
    shown = f"[{', '.join(names)}]"
    if len(names) > 1:
        raise violation(shown, "architectures", "Member must have length less than or equal to 1")
    if names and names[0] not in ARCHITECTURES:
        constraint = (
            "Member must satisfy constraint: [Member must satisfy enum value set: "
            f"[{', '.join(ARCHITECTURES)}], Member must not be null]"
        )
        raise violation(shown, "architectures", constraint)


def check_new(spec: dict[str, Any]) -> None:
    """What only CreateFunction checks."""
    if spec.get("PackageType") == "Image" or "ImageUri" in spec["Code"]:
        raise InvalidParameterValueException(
            "The local AWS runs functions from zip packages only, not from container images."
        )
    if not spec.get("Runtime") or not spec.get("Handler"):
        raise InvalidParameterValueException(
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        )


def check_variables(variables: dict[str, str]) -> None:
    if not all(re.fullmatch(VARIABLE_PATTERN, name) for name in variables):
        raise LambdaClientError(
            "ValidationException",
            "1 validation error detected: Value at 'environment.variables' failed to satisfy "
            f"constraint: Map keys must satisfy constraint: [{PATTERN_WORDS}{VARIABLE_PATTERN}, "
            "Member must not be null]",
        )
    reserved = [name for name in variables if name in RESERVED_VARIABLES]
    if reserved:
        raise InvalidParameterValueException(
            f"{UNCONFIGURABLE}contains reserved keys that are currently not supported for "
            f"modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"))
    if len(measured) > MAX_ENVIRONMENT_BYTES:
        raise InvalidParameterValueException(
            f"{UNCONFIGURABLE}exceeded the 4KB limit. String measured: {measured}"
        )


def runtime_refusal(runtime: str) -> InvalidParameterValueException:
    if runtime in RETIRED_RUNTIMES:
        return InvalidParameterValueException(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
    return InvalidParameterValueException(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
        f"value set: [{', '.join(RUNTIMES)}] or be a valid ARN"
    )


def check_role(role: Role) -> None:
    """A role ARN of the right form, whose role Lambda may assume (LS-082, G-03)."""
    if not re.fullmatch(ROLE_PATTERN, role.arn):
        raise violation(role.arn, "role", f"{PATTERN_WORDS}{ROLE_PATTERN}")
    if not role.may_be_assumed_by(LAMBDA_SERVICE):
        raise InvalidParameterValueException(
            "The role defined for the function cannot be assumed by Lambda."
        )


def check_dead_letter_target(role: Role, spec: dict[str, Any]) -> None:
    """The role may send to the function's own dead-letter queue, if it is to have one.

    Users report the text: aws-samples/aws-serverless-ecommerce-platform #41, elastic/beats
    #13963.
    """
    target = (spec.get("DeadLetterConfig") or {}).get("TargetArn") or ""
    if arns.service(target) == "sqs" and not role.allows("sqs:SendMessage", on=target):
        raise InvalidParameterValueException(
            "The provided execution role does not have permissions to call SendMessage on SQS"
        )


# -- the package -----------------------------------------------------------------------------


def check_request_size(size: int, operation: str) -> None:
    """Refuse a request with too large a body (LS-085). `size` is in bytes."""
    if size > MAX_REQUEST_BYTES:
        raise too_large(
            f"Request must be smaller than {MAX_REQUEST_BYTES} bytes for the {operation} operation"
        )


def check_code(account: str, partition: str, code: dict[str, Any]) -> None:
    """The deployment package, in the request or in S3 (LS-082, LS-085, LS-088)."""
    if "ZipFile" in code:
        package = base64.b64decode(code["ZipFile"])
        if len(package) > MAX_ZIP_BYTES:
            raise too_large(f"Zipped size must be smaller than {MAX_ZIP_BYTES} bytes")
        check_package(package)
    elif "S3Bucket" in code and "S3Key" in code:
        check_package(s3_object(account, partition, code["S3Bucket"], code["S3Key"]))
    else:
        raise InvalidParameterValueException("Please provide a source for function code.")


def check_package(package: bytes) -> None:
    """The zip file can be unpacked, on this machine too, and is not too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            unzipped = sum(entry.file_size for entry in archive.infolist())
            readable = unzipped > MAX_UNZIPPED_BYTES or can_be_unpacked(archive)
    except Exception:  # noqa: BLE001 (zipfile and decompressors raise many for damaged files)
        readable = False
    if not readable:
        raise InvalidParameterValueException(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )
    if unzipped > MAX_UNZIPPED_BYTES:
        raise InvalidParameterValueException(
            f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
        )


def can_be_unpacked(archive: zipfile.ZipFile) -> bool:
    """Whether each entry has a path of its own below the folder, and intact contents.

    Symbolic links are refused here, although AWS unpacks them: Windows has none, and a
    handler's package could lead out of its folder.
    """
    files: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = {()}
    for entry in archive.infolist():
        path = tuple(part for part in entry.filename.split("/") if part not in ("", "."))
        is_link = stat.S_ISLNK(entry.external_attr >> 16)
        if is_link or entry.filename.startswith("/") or not all(map(is_file_name, path)):
            return False
        folders.update(path[:depth] for depth in range(len(path)))
        (folders if entry.is_dir() else files).add(path)
    return not files & folders and archive.testzip() is None


def is_file_name(part: str) -> bool:
    return part != ".." and len(part.encode()) <= MAX_FILE_NAME_BYTES


def s3_object(account: str, partition: str, bucket: str, key: str) -> bytes:
    code, message = "NoSuchKey", "The specified key does not exist."
    try:
        found = s3_backends[account][partition].get_object(bucket, key)
        if found is not None:
            return found.value
    except MissingBucket:
        code, message = "NoSuchBucket", "The specified bucket does not exist"
    except MissingKey:
        pass
    raise InvalidParameterValueException(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    )


# -- the state -------------------------------------------------------------------------------


def check_not_updating(function: Any) -> None:
    """One update at a time (LS-033)."""
    if function.pending:
        raise conflict(
            "The operation cannot be performed at this time. The function is currently in the "
            "following state: Pending"
        )
    if function.updating:
        raise conflict(
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {function.function_arn}"
        )
