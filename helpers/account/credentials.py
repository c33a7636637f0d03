"""Whose credentials boto3 finds for a real account, and what to do when they are no good.

What goes wrong comes in two forms: an exception of botocore's, raised before anything is sent,
and a code with which AWS refuses a call. Each gets one sentence with the next thing to do.
Sources: botocore's `exceptions`; "Common error types" in the API reference of STS; "Troubleshoot
signed requests for AWS APIs" and "Activating and deactivating AWS STS in an AWS Region" in the
IAM User Guide.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import boto3
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from helpers.account.sentences import WrongSetting

USUAL_REGION = "us-east-1"
NOTHING_DONE = "Nothing has been changed."
SIGN_IN = "sign in again (`aws sso login`, or new keys with `aws configure`)"
# A credential_process that is not there, or says something else than JSON.
BY_A_COMMAND = (OSError, ValueError)
HANDS_OUT = (
    "What should hand out the credentials of the profile {setting} failed ({error}); run it by "
    "hand to see why."
)
# The first kind of exception that fits; {error} is botocore's own words, {setting} the profile.
EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (exceptions.ProfileNotFound,),
        "AWS_PROFILE is {setting!r}, and there is no such profile on this computer; "
        "`aws configure list-profiles` lists those that there are.",
    ),
    (
        (exceptions.ConfigParseError, exceptions.ConfigNotFound),
        "The configuration of AWS on this computer cannot be read ({error}); mend that file, or "
        "move it away and run `aws configure`.",
    ),
    (
        (exceptions.NoCredentialsError,),
        "boto3 finds no credentials on this computer; run `aws configure sso`, or set AWS_PROFILE "
        "to a profile that has some.",
    ),
    (
        (exceptions.InvalidRegionError, exceptions.UnknownRegionError),
        "AWS_DEFAULT_REGION, or the region of the profile, is {region!r}, which is no name of a "
        "region; set one such as us-east-1.",
    ),
    (
        (exceptions.PartialCredentialsError,),
        "Only a part of the credentials is there ({error}); an access key has two parts, so set "
        "both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither.",
    ),
    (
        (
            exceptions.UnauthorizedSSOTokenError,
            exceptions.SSOTokenLoadError,
            exceptions.SSOError,
            exceptions.TokenRetrievalError,
            exceptions.NoAuthTokenError,
        ),
        "You are not signed in, or no longer (profile {setting}); run "
        "`aws sso login --profile {setting}`, then this cell again.",
    ),
    (
        (exceptions.MissingDependencyException,),
        "The profile {setting} needs a package that the course does not install; type "
        "`pip install 'botocore[crt]'` in it, or take a profile of `aws configure sso`.",
    ),
    (
        (exceptions.LoginInsufficientPermissions,),
        "Your user may not sign in from the command line ({error}); ask who runs the account.",
    ),
    (
        (exceptions.LoginError,),
        "You are not signed in, or no longer (profile {setting}); run "
        "`aws login --profile {setting}`, then this cell again.",
    ),
    (
        (exceptions.RefreshWithMFAUnsupportedError,),
        "The profile {setting} wants a code of a second factor, for which a notebook cannot ask; "
        "get a session with `aws sts get-session-token`, and set its three values.",
    ),
    (
        (exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError),
        HANDS_OUT,
    ),
    (
        (exceptions.ProxyConnectionError,),
        "The proxy that HTTPS_PROXY names does not answer ({error}); correct or unset it.",
    ),
    (
        (exceptions.SSLError,),
        "Something between this computer and AWS shows a certificate that is not AWS's ({error}); "
        "if that is your company's proxy, set AWS_CA_BUNDLE to its certificate.",
    ),
    (
        (exceptions.ConnectionError, HTTPClientError),
        "AWS does not answer in the region {region!r} ({error}); look whether this computer is "
        "connected, and whether AWS_DEFAULT_REGION is a region.",
    ),
    (
        (exceptions.InvalidConfigError, exceptions.UnknownCredentialError, BotoCoreError),
        "The settings of the profile {setting} cannot be used ({error}); correct them with "
        "`aws configure --profile {setting}`.",
    ),
    (BY_A_COMMAND, HANDS_OUT),
)
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
# The first list of codes that has the one that AWS gave.
CODES: tuple[tuple[tuple[str, ...], str], ...] = (
    (EXPIRED, f"Your credentials have expired; {SIGN_IN}, and run the notebook from the top."),
    (
        ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
        "AWS does not know your access key in {region}: it was deleted or deactivated, lacks its "
        "session token, or the region is one that the account has not enabled; "
        f"{SIGN_IN}, or set AWS_DEFAULT_REGION to another region.",
    ),
    (
        ("MissingAuthenticationToken", "MissingAuthenticationTokenException",
         "IncompleteSignature", "IncompleteSignatureException"),
        "Your credentials are damaged, so that AWS cannot read who calls ({error}); enter them "
        "again with `aws configure`.",
    ),
    (
        ("RegionDisabledException",),
        "The account has no sign-in service in {region}; set AWS_DEFAULT_REGION to a region that "
        "is enabled there.",
    ),
    (
        ("OptInRequired", "SubscriptionRequiredException"),
        "The account is not signed up for this yet ({error}); finish its registration in the "
        "console, or set AWS_DEFAULT_REGION to another region.",
    ),
    (
        ("AccessDenied", "AccessDeniedException"),
        "AWS does not let these credentials ask whose they are ({error}); ask who runs the "
        "account for others.",
    ),
)  # fmt: skip
WRONG_SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed")
CLOCK = (
    "The clock of this computer is wrong, and AWS takes no calls from more than a few minutes ago "
    "or ahead ({error}); set it, then run this cell again."
)
SECRET = (
    "The secret access key is not the one that belongs to your access key; enter both again with "
    "`aws configure`, without blanks."
)
# "Identifiers" in the IAM User Guide: the ARN of who calls.
CALLER = re.compile(
    r"arn:[\w-]+:(iam|sts)::\d{12}:(root|user|assumed-role|federated-user)(?:/(.+))?"
)


@dataclass(frozen=True)
class Caller:
    """Who calls AWS, as STS says. `region`: where the course would work."""

    account: str
    arn: str
    region: str

    @property
    def is_root(self) -> bool:
        """Whether it is the root user, whom no policy binds."""
        return self.arn.endswith(":root")

    @property
    def words(self) -> str:
        """The user or role, such as "user anna" or "role Learner (session anna)"."""
        found = CALLER.fullmatch(self.arn)
        kind, rest = (found[2], found[3] or "") if found else ("", self.arn)
        if kind == "assumed-role":
            role, _, session = rest.partition("/")
            return f"role {role} (session {session})"
        if kind == "user":
            return f"user {rest.rpartition('/')[2]}"
        return {"root": "the root user", "federated-user": f"federated user {rest}"}.get(kind, rest)


def find_caller() -> Caller:
    """Ask AWS whose credentials boto3 finds here. Raises WrongSetting, with what to do."""
    region = USUAL_REGION
    try:
        region = boto3.Session().region_name or USUAL_REGION
        answer = boto3.client("sts", region_name=region).get_caller_identity()
    except (BotoCoreError, ClientError, *BY_A_COMMAND) as error:
        refuse(error, region)
    return Caller(answer["Account"], answer["Arn"], region)


def refuse(error: Exception, region: str) -> NoReturn:
    """Raise WrongSetting with the sentence for an error of botocore's or of AWS's."""
    raise WrongSetting(f"{sentence(error, region)} {NOTHING_DONE}") from None


def sentence(error: Exception, region: str) -> str:
    """What is wrong with the credentials, and the next thing to do."""
    words = re.sub(r"\.\s+(?=[A-Z])", "; ", str(error)).rstrip(". ")
    profile = os.environ.get("AWS_PROFILE", "default")
    return template(error).format(error=words, region=region, setting=profile)


def template(error: Exception) -> str:
    if not isinstance(error, ClientError):
        return next(text for kinds, text in EXCEPTIONS if isinstance(error, kinds))
    code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in WRONG_SIGNATURE:
        late = "Skewed" in code or re.search("expired|not yet current", said)
        return CLOCK if late else SECRET
    found = (text for codes, text in CODES if code in codes)
    return next(found, "AWS refuses these credentials ({error}); ask who runs the account.")


def watch() -> None:
    """Let calls of boto3's default session raise WrongSetting once the credentials have expired.

    For a session that ends while a notebook runs: what was made until then stays.
    """

    def look(parsed: dict[str, Any], **_others: Any) -> None:
        if parsed.get("Error", {}).get("Code") in EXPIRED:
            raise WrongSetting(CODES[0][1])

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register_first("after-call", look)
