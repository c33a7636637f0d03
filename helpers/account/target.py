"""Which AWS the cells talk to: one setting, four targets.

| SQS_COURSE_TARGET | what boto3 talks to |
|---|---|
| `local` (default) | the local AWS of this checkout, started if it does not run |
| `rehearsal` | a local AWS of its own that is as slow and as weak as AWS |
| an http(s) URL | any other AWS-compatible server |
| `aws` | a real account: SQS_COURSE_ACCOUNT must name the account id you expect |

SQS_COURSE_PROFILE (typical, slow or hostile), SQS_COURSE_SEED and SQS_COURSE_SCALE are those of a
rehearsal. SQS_COURSE_PREFIX is put before every name, so that several learners can share an
account; SQS_COURSE_BOUNDARY is the permissions boundary of the roles that they make.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError
from botocore.exceptions import ConnectionError as NoConnection

from helpers.account import boundary, clock, credentials, sentences
from helpers.account.credentials import NOTHING_DONE
from helpers.account.sentences import WrongSetting
from helpers.localaws import keys, lifecycle, settings
from helpers.localaws.keys import AccessKey

USUAL = ("typical", "1", "1")  # profile, seed and scale of a rehearsal
ANY_KEY = AccessKey("test", "test")  # other servers take any
REGION = credentials.USUAL_REGION
AWS_ITSELF = ("amazonaws.com", "amazonaws.com.cn", ".api.aws", "amazonaws.eu")
# boto3 gives up a throttled call after three attempts. A class that shares an account throttles
# itself for longer: with ten, a call is tried for about half a minute.
ATTEMPTS = "10"
# "Root user best practices for your AWS account" in the IAM User Guide.
ROOT = (
    "Your credentials are those of the root user of account {account}, whom no policy binds: the "
    "course does not use them. Take a user or a role with the policy data/policies/learner.json "
    f"instead, and set AWS_PROFILE to it. {NOTHING_DONE}"
)
# Variables that could point boto3 at another account or endpoint than the target's.
FOREIGN_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


@dataclass(frozen=True)
class Target:
    """What the cells talk to. `name` is one of "local", "rehearsal", "server" and "aws"."""

    name: str
    description: str
    account: str
    region: str
    note: str | None = None


def connect() -> Target:
    """Point boto3 in this process at the chosen target, and say what it is.

    Changes environment variables that boto3 reads. Raises WrongSetting for a setting that
    is not allowed, and for a real account that is not the expected one, is asked for by its
    root user, or cannot be asked for.
    """
    prefix()
    clock.set_off(0)
    arn = boundary.wanted()
    target = connect_wanted(os.environ.get("SQS_COURSE_TARGET") or "local")
    if arn:
        boundary.put_on_roles(arn)
        note = f"Roles get the permissions boundary {arn}."
        target = replace(target, note=f"{target.note}\n{note}" if target.note else note)
    return target


def connect_wanted(wanted: str) -> Target:
    if wanted == "local":
        return connect_local()
    if wanted == "rehearsal":
        return connect_rehearsal()
    if wanted == "aws":
        return connect_aws()
    return connect_server(wanted)


def aws_pace() -> float:
    """What a wait for AWS is multiplied by: 1 on AWS, its scale in a rehearsal, 0 elsewhere."""
    wanted = os.environ.get("SQS_COURSE_TARGET") or "local"
    if wanted == "rehearsal":
        return float(os.environ.get("SQS_COURSE_SCALE") or 1)
    return 1.0 if wanted == "aws" else 0.0


def prefix() -> str:
    """The learner's prefix, for example "anna-"; "" when there is none."""
    text = os.environ.get("SQS_COURSE_PREFIX", "")
    if not re.fullmatch(r"[A-Za-z0-9-]{0,20}", text):
        raise WrongSetting(
            f"SQS_COURSE_PREFIX is {text!r}; use up to 20 letters, digits and hyphens."
        )
    if text.rstrip("-") == "default":
        raise WrongSetting(
            f"SQS_COURSE_PREFIX is {text!r}, which is the tag of a learner without a prefix; use "
            "another word."
        )
    return text


def connect_local() -> Target:
    server, note, _ = lifecycle.start()
    use_endpoint(server.endpoint_url, server.key)
    sentences.watch(server)
    account = account_id()
    return Target(
        "local", f"local AWS on this computer (account {account}, {REGION})", account, REGION, note
    )


def connect_rehearsal() -> Target:
    """What passes here is rehearsed; it is not proved on AWS."""
    names = ("SQS_COURSE_PROFILE", "SQS_COURSE_SEED", "SQS_COURSE_SCALE")
    given = [os.environ.get(name) for name in names]
    profile, seed, scale = (text or usual for text, usual in zip(given, USUAL, strict=True))
    try:
        options = settings.read_like_aws(profile, seed, scale, names)
    except ValueError as error:
        raise WrongSetting(str(error)) from None
    server, note, _ = lifecycle.rehearse(options)
    os.environ.setdefault("AWS_MAX_ATTEMPTS", ATTEMPTS)
    use_endpoint(server.endpoint_url, server.key)
    sentences.watch(server)
    account = account_id()
    off_s = lifecycle.ask(server, "GET").get("clock_off_s", 0.0)
    clock.set_off(off_s)
    where = (
        f"rehearsal of AWS on this computer ({options.words}, clock off by {off_s:g} s; account "
        f"{account}, {REGION})"
    )
    return Target("rehearsal", where, account, REGION, note)


def connect_server(url: str) -> Target:
    host = host_of(url)
    if not host:
        raise WrongSetting(
            f"SQS_COURSE_TARGET is {url!r}; use local, rehearsal, aws, or a URL such as "
            "http://localhost:4566."
        )
    if host.endswith(AWS_ITSELF):
        raise WrongSetting(
            f"SQS_COURSE_TARGET is {url!r}, which is AWS itself; for a real account use aws."
        )
    use_endpoint(url, key_for(url))
    try:
        account = account_id()
    except NoConnection:
        raise WrongSetting(
            f"SQS_COURSE_TARGET is {url!r}, and nothing answers there: start that server first."
        ) from None
    except ClientError as error:
        raise WrongSetting(
            f"SQS_COURSE_TARGET is {url!r}, and the server there refuses the access key ({error}). "
            "For a local AWS take the lines that `python -m helpers.localaws env` prints."
        ) from None
    return Target("server", f"server at {url} (account {account}, {REGION})", account, REGION)


def key_for(url: str) -> AccessKey:
    """The access key for a server: that of a local AWS, or one that any other server takes.

    A local AWS that was started by hand has its key in AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, as `python -m helpers.localaws env` sets them. Keys of a real account
    are never sent anywhere else.
    """
    ours = lifecycle.recorded()
    if ours is not None and url.rstrip("/").replace("localhost", "127.0.0.1") == ours.endpoint_url:
        return ours.key
    given = os.environ.get("AWS_ACCESS_KEY_ID", "")
    if given.startswith(keys.BEGINNING):
        return AccessKey(given, os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
    return ANY_KEY


def host_of(url: str) -> str | None:
    """The host of an http(s) URL; None for anything else."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for a port that is no number
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def connect_aws() -> Target:
    expected = os.environ.get("SQS_COURSE_ACCOUNT", "")
    if not re.fullmatch(r"\d{12}", expected):
        raise WrongSetting(
            f"SQS_COURSE_TARGET is aws and SQS_COURSE_ACCOUNT is {expected!r}; set it to the "
            "12-digit id of the account that you mean to use."
        )
    boto3.DEFAULT_SESSION = None  # it would hold the credentials of an earlier cell
    caller = credentials.find_caller()
    if caller.account != expected:
        raise WrongSetting(
            f"Your credentials belong to account {caller.account}, and SQS_COURSE_ACCOUNT is "
            f"{expected}. {NOTHING_DONE}"
        )
    if caller.is_root:
        raise WrongSetting(ROOT.format(account=caller.account))
    os.environ["AWS_DEFAULT_REGION"] = caller.region
    os.environ.setdefault("AWS_MAX_ATTEMPTS", ATTEMPTS)
    credentials.watch()
    where = (
        f"AWS account {caller.account} in {caller.region}, as {caller.words}: this can cost money"
    )
    return Target("aws", where, caller.account, caller.region)


def use_endpoint(url: str, key: AccessKey) -> None:
    """Let boto3 use this endpoint and key for every service, and nothing else of this machine."""
    for name in list(os.environ):
        if name in FOREIGN_VARIABLES or name.startswith("AWS_ENDPOINT_URL"):
            del os.environ[name]
    os.environ.update(
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID=key.id,
        AWS_SECRET_ACCESS_KEY=key.secret,
        AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
    host = host_of(url) or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        keep_from_proxy(host)
    boto3.DEFAULT_SESSION = None  # one that was made before would still hold the old values


def keep_from_proxy(host: str) -> None:
    """Let no proxy stand between this process and a server on this computer."""
    for name in ("no_proxy", "NO_PROXY"):
        others = os.environ.get(name, "").split(",")
        if host not in others:
            os.environ[name] = ",".join([*filter(None, others), host])


def account_id() -> str:
    account: str = boto3.client("sts").get_caller_identity()["Account"]
    return account
