"""A real account: what is shown before anything is made, who is refused, and what goes wrong.

No test here talks to AWS: botocore runs as it does, and its HTTP session is answered for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import boto3
import pytest
from botocore import exceptions
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from helpers import course, prices
from helpers.account import credentials, forecast, names, refusal, target
from helpers.account.sentences import WrongSetting
from helpers.meter.bill import CENT
from tests.notebook_files import NAMES, markdown, read

ACCOUNT, OTHER = "111122223333", "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/course/anna"
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>X</UserId><Account>{account}</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
REFUSED = (
    "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
)


class Aws:
    """What stands in for AWS: `answer` is the status and text of the next answers."""

    def __init__(self) -> None:
        self.sent: list[AWSRequest] = []
        self.is_(USER)

    def is_(self, arn: str, account: str = ACCOUNT) -> None:
        self.answer: tuple[int, str] | Exception = 200, IDENTITY.format(arn=arn, account=account)

    def refuses(self, code: str, message: str) -> None:
        self.answer = 403, REFUSED.format(code=code, message=message)

    def send(self, request: AWSRequest) -> AWSResponse:
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        status, text = self.answer
        response = AWSResponse(request.url, status, {}, mock.Mock())
        response._content = text.encode()
        return response


@pytest.fixture
def aws(environment, tmp_path: Path, monkeypatch) -> Iterator[Aws]:
    """AWS with credentials that it takes, on a computer with no settings but the test's."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    os.environ.update(
        SQS_COURSE_TARGET="aws",
        SQS_COURSE_ACCOUNT=ACCOUNT,
        AWS_CONFIG_FILE=str(tmp_path / "config"),
        AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"),
        AWS_EC2_METADATA_DISABLED="true",
        AWS_MAX_ATTEMPTS="1",
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
        HOME=str(tmp_path),
    )
    there = Aws()
    with mock.patch.object(URLLib3Session, "send", lambda _session, request: there.send(request)):
        yield there


def sentence() -> str:
    """What connecting is refused with: one sentence, and that nothing has happened."""
    with pytest.raises(WrongSetting) as refused:
        target.connect()
    said, end, _ = str(refused.value).rpartition(" Nothing has been changed.")
    assert end, refused.value
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert not re.search(r"\. [A-Z]", said), said
    assert "{" not in said
    return said


# -- what is shown, and who is refused -------------------------------------------------------


@pytest.mark.parametrize("expected", [None, "", "12345", "1111-2222-3333"])
def test_the_account_that_is_meant_has_to_be_named(aws: Aws, expected: str | None) -> None:
    del os.environ["SQS_COURSE_ACCOUNT"]
    if expected is not None:
        os.environ["SQS_COURSE_ACCOUNT"] = expected
    with pytest.raises(WrongSetting, match=r"SQS_COURSE_ACCOUNT is '.*'; set it to the 12-digit"):
        target.connect()
    assert aws.sent == []


def test_another_account_is_refused(aws: Aws) -> None:
    aws.is_(f"arn:aws:iam::{OTHER}:user/anna", OTHER)
    assert sentence() == (
        f"Your credentials belong to account {OTHER}, and SQS_COURSE_ACCOUNT is {ACCOUNT}."
    )


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_the_root_user_is_refused(aws: Aws, partition: str) -> None:
    aws.is_(f"arn:{partition}:iam::{ACCOUNT}:root")
    with pytest.raises(WrongSetting) as refused:
        target.connect()
    assert f"root user of account {ACCOUNT}" in str(refused.value)
    assert "data/policies/learner.json" in str(refused.value)


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (USER, "user anna"),
        (f"arn:aws:iam::{ACCOUNT}:user/root", "user root"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Learner/anna", "role Learner (session anna)"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/anna", "federated user anna"),
        (f"arn:aws:sts::{ACCOUNT}:new-kind/anna", f"arn:aws:sts::{ACCOUNT}:new-kind/anna"),
    ],
)
def test_account_user_or_role_and_region_are_shown(aws: Aws, arn: str, words: str) -> None:
    aws.is_(arn)
    os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"
    found = target.connect()
    assert found.description == (
        f"AWS account {ACCOUNT} in eu-west-1, as {words}: this can cost money"
    )
    assert (found.name, found.account, found.region) == ("aws", ACCOUNT, "eu-west-1")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "key"


@pytest.mark.parametrize(("given", "used"), [(None, "10"), ("4", "4")])
def test_a_class_that_throttles_itself_is_tried_for_longer(
    aws: Aws, given: str | None, used: str
) -> None:
    del os.environ["AWS_MAX_ATTEMPTS"]
    if given is not None:
        os.environ["AWS_MAX_ATTEMPTS"] = given
    target.connect()
    assert boto3.client("sqs").meta.config.retries["total_max_attempts"] == int(used)


def test_without_a_region_the_course_takes_its_own(aws: Aws) -> None:
    assert target.connect().region == target.REGION == os.environ["AWS_DEFAULT_REGION"]
    assert boto3.client("sqs").meta.region_name == target.REGION


def test_a_notebook_says_what_it_makes_and_costs_before_it_looks_for_anything(
    aws: Aws, capsys, monkeypatch
) -> None:
    os.environ["SQS_COURSE_PREFIX"] = "anna-"

    def stop(_names: names.Names) -> None:
        raise refusal.NotOurs("the first look at the account")

    monkeypatch.setattr(refusal, "refuse_names", stop)
    with pytest.raises(refusal.NotOurs):
        course.begin("04_add_trigger")
    assert len(aws.sent) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "It makes or changes: queues anna-DemoQueueLambda, anna-PracticeOven; functions "
        "anna-ProcessSQSMessage, anna-PracticeFunction; roles anna-ProcessSQSMessageRole; their "
        "triggers and log groups.",
        "To run it once costs less than 0.01 USD; a trigger that is left on asks its queue for "
        "0.26 USD a month.",
    ]


@pytest.mark.parametrize("name", NAMES[:-1])
def test_every_name_is_foretold(environment, name: str) -> None:
    said = forecast.describe(name)
    wanted = names.WRITES[name]
    for each in wanted.queues + wanted.functions + wanted.roles + wanted.tables:
        assert each in said
    assert ("left on" in said) == bool(wanted.functions)


def test_what_is_foretold_agrees_with_the_ends_of_the_notebooks(environment) -> None:
    ends = {name: markdown(read(name))[-1] for name in NAMES}
    idle = prices.idle_polls(forecast.MONTH_S)
    assert re.search(rf"about {round(idle, -4):,.0f} ", ends["99_clean_up"])
    for name, end in ends.items():
        said = re.search(r"would have cost\*\* (nothing|next to nothing|less than a cent)", end)
        assert said, name
    assert forecast.MOST_USD == CENT  # "less than a cent"; tests/footers.py compares with the meter
    assert "deletes" in forecast.describe("99_clean_up")


def test_only_a_real_account_is_foretold(learner, capsys) -> None:
    course.begin("01_create_queue")
    assert capsys.readouterr().out.count("\n") == 1


# -- credentials that are missing, expired or wrong ------------------------------------------


def no_keys() -> None:
    del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


def config(text: str, name: str = "CONFIG_FILE") -> None:
    Path(os.environ[f"AWS_{name}"]).write_text(text, encoding="utf-8")


def profile(text: str) -> None:
    no_keys()
    config(f"[profile anna]\n{text}\n")
    os.environ["AWS_PROFILE"] = "anna"


SSO = (
    "sso_session = work\nsso_account_id = 111122223333\nsso_role_name = Learner\n"
    "[sso-session work]\nsso_region = us-east-1\nsso_start_url = https://example.com/start"
)
OLD_SSO = (
    "sso_account_id = 111122223333\nsso_role_name = Learner\nsso_region = us-east-1\n"
    "sso_start_url = https://example.com/start"
)
MFA = (
    "role_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\n[profile base]\n"
    "aws_access_key_id = a"
)
FOUND_ON_THIS_COMPUTER: dict[str, tuple[Callable[[], object], str]] = {
    "none": (no_keys, "finds no credentials on this computer"),
    "no such profile": (
        lambda: os.environ.update(AWS_PROFILE="gone"),
        "AWS_PROFILE is 'gone', and there is no such profile",
    ),
    "config damaged": (lambda: config("[default\nregion"), "cannot be read"),
    "credentials damaged": (
        lambda: (no_keys(), config("nonsense", "SHARED_CREDENTIALS_FILE")),
        "cannot be read",
    ),
    "half a key": (
        lambda: os.environ.pop("AWS_SECRET_ACCESS_KEY"),
        "both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    "half a key in a file": (lambda: profile("aws_access_key_id = a"), "Only a part of"),
    "not signed in": (lambda: profile(SSO), "`aws sso login --profile anna`"),
    "not signed in, old form": (lambda: profile(OLD_SSO), "`aws sso login --profile anna`"),
    "logs in by what is not installed": (
        lambda: profile("login_session = arn:aws:iam::111122223333:user/anna"),
        "pip install 'botocore[crt]'",
    ),
    "command fails": (
        lambda: profile("credential_process = python -c 'exit(3)'"),
        "What should hand out the credentials of the profile anna failed",
    ),
    "command is not there": (
        lambda: profile("credential_process = no-such-command"),
        "What should hand out the credentials of the profile anna failed",
    ),
    "command says nonsense": (
        lambda: profile("credential_process = echo no"),
        "What should hand out the credentials of the profile anna failed",
    ),
    "no such source": (lambda: profile(MFA.replace("= base", "= nobody")), "cannot be used"),
    "half a source": (lambda: profile(MFA), "Only a part of the credentials is there"),
    "region is no name": (
        lambda: os.environ.update(AWS_DEFAULT_REGION="Europe (Ireland)"),
        "is 'Europe (Ireland)', which is no name of a region",
    ),
}


@pytest.mark.parametrize("case", FOUND_ON_THIS_COMPUTER)
def test_what_botocore_finds_wrong_gets_a_sentence(aws: Aws, case: str) -> None:
    prepare, said = FOUND_ON_THIS_COMPUTER[case]
    prepare()
    assert said in sentence()
    assert aws.sent == []


URL = {"endpoint_url": "https://sts.us-east-1.amazonaws.com/"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            exceptions.EndpointConnectionError(**URL),
            "AWS does not answer in the region 'us-east-1'",
        ),
        (exceptions.ConnectTimeoutError(**URL), "AWS does not answer"),
        (exceptions.ReadTimeoutError(**URL), "AWS does not answer"),
        (exceptions.ConnectionClosedError(**URL), "AWS does not answer"),
        (exceptions.ProxyConnectionError(proxy_url="http://p"), "The proxy that HTTPS_PROXY names"),
        (exceptions.SSLError(**URL, error="bad"), "AWS_CA_BUNDLE"),
        (exceptions.RefreshWithMFAUnsupportedError(), "a code of a second factor"),
        (exceptions.UnauthorizedSSOTokenError(), "`aws sso login --profile default`"),
        (exceptions.LoginRefreshRequired(), "`aws login --profile default`"),
        (exceptions.LoginInsufficientPermissions(), "may not sign in from the command line"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="x"), "`aws sso login"),
        (exceptions.MetadataRetrievalError(error_msg="x"), "What should hand out"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_breaks_on_the_way_gets_a_sentence(aws: Aws, error: Exception, said: str) -> None:
    aws.answer = error
    assert said in sentence()


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "have expired"),
        ("ExpiredTokenException", "", "have expired; sign in again"),
        ("RequestExpired", "Request has expired.", "have expired"),
        ("InvalidClientTokenId", "The security token included in the request is invalid.",
         "AWS does not know your access key in us-east-1"),
        ("UnrecognizedClientException", "", "AWS does not know your access key"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match",
         "The secret access key is not the one that belongs to your access key"),
        ("SignatureDoesNotMatch", "Signature expired: 20261130T010000Z is now earlier than",
         "The clock of this computer is wrong"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20261130T0900Z is still later than",
         "The clock of this computer is wrong"),
        ("RequestTimeTooSkewed", "The difference is too large", "The clock of this computer"),
        ("IncompleteSignature", "Credential must have 5 parts", "credentials are damaged"),
        ("MissingAuthenticationToken", "Request is missing Token", "credentials are damaged"),
        ("RegionDisabledException", "STS is not activated in this region",
         "no sign-in service in us-east-1"),
        ("OptInRequired", "needs a subscription", "not signed up for this yet"),
        ("AccessDenied", "explicit deny in a service control policy", "ask whose they are"),
        ("SomethingNew", "what it says", "AWS refuses these credentials (An error"),
    ],
)  # fmt: skip
def test_what_aws_refuses_gets_a_sentence(aws: Aws, code: str, message: str, said: str) -> None:
    aws.refuses(code, message)
    assert said in sentence()


def test_credentials_that_expire_while_a_notebook_runs_get_a_sentence(aws: Aws) -> None:
    target.connect()
    iam = boto3.client("iam")
    aws.refuses("ExpiredToken", "The security token included in the request is expired")
    with pytest.raises(WrongSetting, match="credentials have expired; sign in again"):
        iam.list_roles()
    aws.refuses("NoSuchEntity", "The role with name x cannot be found.")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.list_roles()


def test_every_exception_of_botocore_about_credentials_has_a_sentence_of_its_own() -> None:
    general = credentials.EXCEPTIONS[-2][0]
    assert general[-1] is exceptions.BotoCoreError
    about = re.compile(
        "Cred|SSO|Login|TokenRet|AuthToken|Profile|ConfigParse|ConfigNot|MFA|Metadata"
    )
    found = [each for each in vars(exceptions).values() if isinstance(each, type)]
    found = [each for each in found if about.search(each.__name__)]
    assert len(found) > 14
    named = [kind for kinds, _ in credentials.EXCEPTIONS[:-2] for kind in kinds]
    named += general[:-1]
    for each in found:
        assert issubclass(each, tuple(named)), each
