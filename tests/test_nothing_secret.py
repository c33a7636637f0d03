"""What is stored tells nothing of a real account: no number, no access key, no token."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.notebook_files import NAMES, ROOT, code_cells, read

# 123456789012 and 111122223333 are the ids of AWS's own examples: "Account identifiers" and
# "Identifiers" in the IAM User Guide; 444455556666 is the second account of "Cross-account
# policy evaluation logic" there. The sender's id is that of the event in "Using Lambda with Amazon
# SQS" in the Lambda Developer Guide.
SENDER = "AIDAIENQZJOLO23YVJ4VO"
OF_THE_DOCUMENTATION = {"123456789012", "111122223333", "444455556666", SENDER}
ACCOUNT = re.compile(r"(?<![\w.])\d{4}-?\d{4}-?\d{4}(?!\w)")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# "Unique identifiers" in the IAM User Guide: keys, users and roles; and those of the local AWS.
KEY_ID = re.compile(r"\b(?:A(?:KIA|SIA|IDA|ROA|3T)|LOCALAWS)[A-Z0-9]{12,}\b")
# How tokens of STS begin, and anything as long as one.
TOKEN = re.compile(r"\b(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)|[A-Za-z0-9+/]{200,}")
SECRET = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])")
HEX = re.compile(r"[0-9a-f]+")
TEXTS = sorted(
    path
    for folder in ("data", "docs", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".md", ".json", ".csv", ".cfg", ".toml")
)


def found_in(text: str) -> list[str]:
    """What may be of a real account in a text."""
    text = UUID.sub("", text.replace("\\n", "\n"))  # in JSON, or printed by repr
    found = [*ACCOUNT.findall(text), *KEY_ID.findall(text), *TOKEN.findall(text)]
    found += [each for each in SECRET.findall(text) if is_random(each)]
    return [each for each in found if each not in OF_THE_DOCUMENTATION]


def is_random(text: str) -> bool:
    """Whether 40 characters may be a secret access key: no checksum, and no path or word."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return not HEX.fullmatch(text) and all(any(map(kind, text)) for kind in kinds)


@pytest.mark.parametrize("name", NAMES)
def test_no_output_tells_of_a_real_account(name: str) -> None:
    for cell in code_cells(read(name)):
        for output in cell.outputs:
            stored = dict(output)
            data = stored.get("data", {})
            stored["data"] = {kind: data[kind] for kind in data if not kind.startswith("image/")}
            assert found_in(json.dumps(stored)) == [], cell.source


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_tells_of_a_real_account(path: Path) -> None:
    assert found_in(path.read_text(encoding="utf-8")) == []


def mixed(length: int) -> str:
    """Letters of both cases and digits, as in a secret: put together here, or it were found."""
    return ("wJalrXUtnFEMI7K7MDENG" * length)[:length]


@pytest.mark.parametrize(
    "secret",
    [
        "2345" + "67890123",
        "2345-" + "6789-0123",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ASIA" + "IOSFODNN7EXAMPLE",
        "AROA" + "IOSFODNN7EXAMPLE",
        "LOCALAWS" + "000000000001",
        "IQoJb3JpZ2lu" + "X2VjEOr",
        mixed(40),
        mixed(300),
    ],
)
@pytest.mark.parametrize("around", ["{}", "arn:aws:sqs:us-east-1:{}:q", "see\\n{}, it", '"{}"'])
def test_a_secret_would_be_found(secret: str, around: str) -> None:
    assert found_in(around.format(secret))


@pytest.mark.parametrize(
    "harmless",
    [
        "arn:aws:iam::123456789012:role/x",
        "1733000000000",  # a time in ms
        "8960ba3a-f2d2-425a-9709-835412345678",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "0.123456789012",
        "helpers/localaws/rehearsal/profiles/ofpy",
    ],
)
def test_what_is_harmless_is_not_taken_for_a_secret(harmless: str) -> None:
    assert found_in(harmless) == []


def test_a_secret_in_an_output_of_a_notebook_would_be_found(monkeypatch) -> None:
    notebook = read(NAMES[0])
    code_cells(notebook)[-1].outputs.append(
        {"output_type": "stream", "name": "stdout", "text": "account 2345" + "67890123\n"}
    )
    monkeypatch.setattr("tests.test_nothing_secret.read", lambda _name: notebook)
    with pytest.raises(AssertionError, match="2345" + "67890123"):
        test_no_output_tells_of_a_real_account(NAMES[0])
