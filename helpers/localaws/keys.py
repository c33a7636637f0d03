"""The access key of a local AWS, and how another program is told of it.

A key is random, made anew at each start, and worth nothing anywhere else. Its id begins with
LOCALAWS, so that nobody takes it for a key of AWS.
"""

from __future__ import annotations

import os
import secrets
import string
from dataclasses import dataclass

REGION = "us-east-1"
BEGINNING = "LOCALAWS"
ID_LENGTH, SECRET_LENGTH = 20, 40  # characters, as of AWS's own keys
# What would get before the key, or lead somewhere else, in the SDKs and the AWS CLI.
IN_THE_WAY = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    *(
        f"AWS_ENDPOINT_URL_{name}"
        for name in ("SQS", "LAMBDA", "IAM", "STS", "CLOUDWATCH_LOGS", "CLOUDFORMATION")
    ),
)
NOT_BY_PROXY = "127.0.0.1,localhost"
SHELLS = ("sh", "powershell")


@dataclass(frozen=True)
class AccessKey:
    """An access key: its id is no secret, the other part signs calls and never travels."""

    id: str
    secret: str


def make_access_key() -> AccessKey:
    """A new random key."""
    letters = string.ascii_uppercase + string.digits
    rest = "".join(secrets.choice(letters) for _ in range(ID_LENGTH - len(BEGINNING)))
    return AccessKey(BEGINNING + rest, secrets.token_hex(SECRET_LENGTH // 2))


def variables(endpoint_url: str, key: AccessKey) -> dict[str, str]:
    """The environment variables with which any AWS SDK and the AWS CLI use a local AWS."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def shell_lines(endpoint_url: str, key: AccessKey, shell: str) -> list[str]:
    """Lines for a shell, one of SHELLS, that set these variables."""
    values = variables(endpoint_url, key)
    if shell == "powershell":
        removed = ", ".join(f"Env:{name}" for name in IN_THE_WAY)
        return [
            *(f'$env:{name} = "{value}"' for name, value in values.items()),
            f'$env:NO_PROXY = "{NOT_BY_PROXY},$env:NO_PROXY"',
            f"Remove-Item {removed} -ErrorAction SilentlyContinue",
        ]
    return [
        *(f"export {name}={value}" for name, value in values.items()),
        *(f'export {name}="{NOT_BY_PROXY},${name}"' for name in ("NO_PROXY", "no_proxy")),
        f"unset {' '.join(IN_THE_WAY)}",
    ]
