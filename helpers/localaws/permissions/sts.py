"""STS: temporary credentials that can be looked up, and that end.

moto keeps the sessions of assumed roles in a list that only grows and is searched at each
call, and answers GetSessionToken and GetFederationToken with AWS's example credentials.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.iam.models import AccessKey, iam_backends
from moto.sts import models as moto_sts
from moto.sts import urls as moto_urls
from moto.sts.responses import TokenResponse
from moto.sts.utils import random_session_token

from helpers.localaws.common.moto_patches import put_in_place

DAY_S = 43_200
MANY = 100  # sessions, before those that have ended are looked for


@dataclass(frozen=True)
class Credentials:
    """What signs a call. `role_session`: moto's, for the credentials of an assumed role."""

    secret: str
    token: str | None = None
    expires: datetime | None = None
    role_session: Any = None

    @property
    def expired(self) -> bool:
        return self.expires is not None and self.expires <= utcnow()


class Sessions(dict[str, Any]):
    """Sessions by access key id, where moto expects a list."""

    def append(self, session: Any) -> None:
        if len(self) % MANY == MANY - 1:
            for ended in [each for each in self if each.expiration <= utcnow()]:
                forget(ended.access_key_id)
        self[session.access_key_id] = session

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.values()))


class Backend(moto_sts.STSBackend):
    """moto's sessions of one account."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.assumed_roles = Sessions()
        self.tokens: dict[str, Credentials] = {}

    def get_assumed_role_from_access_key(self, access_key_id: str) -> Any:
        return self.assumed_roles.get(access_key_id)


class Responses(TokenResponse):
    """moto's STS responses, with credentials that can be used."""

    def get_session_token(self) -> ActionResult:
        duration_s = self._get_int_param("DurationSeconds", DAY_S)
        return ActionResult({"Credentials": new_token(self.current_account, duration_s)})

    def get_federation_token(self) -> ActionResult:
        result = super().get_federation_token()
        duration_s = self._get_int_param("DurationSeconds", DAY_S)
        result.result["Credentials"] = new_token(self.current_account, duration_s)
        return result


def new_token(account_id: str, duration_s: int) -> dict[str, Any]:
    """Temporary credentials of the account itself, valid for so many seconds."""
    backend = moto_sts.sts_backends[account_id]["aws"]
    key = AccessKey(user_name=None, prefix="ASIA", account_id=account_id)
    made = Credentials(
        key.secret_access_key,
        random_session_token(),
        utcnow() + timedelta(seconds=duration_s),
    )
    backend.tokens = {name: each for name, each in backend.tokens.items() if not each.expired}
    backend.tokens[key.access_key_id] = made
    return {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": made.secret,
        "SessionToken": made.token,
        "Expiration": made.expires,
    }


def find_credentials(access_key_id: str) -> Credentials | None:
    """The credentials with this id that STS or IAM have made, if there are any."""
    for account in list(moto_sts.sts_backends.values()):
        backend = account["aws"]
        session = backend.assumed_roles.get(access_key_id)
        if session is not None:
            return Credentials(
                session.secret_access_key, session.session_token, session.expiration, session
            )
        if access_key_id in backend.tokens:
            return backend.tokens[access_key_id]
    for account in list(iam_backends.values()):
        key = account["aws"].access_keys.get(access_key_id)
        if key is not None and key.status == "Active":
            return Credentials(key.secret_access_key)
    return None


def forget(access_key_id: str) -> None:
    """Forget the session of an assumed role."""
    for account in list(moto_sts.sts_backends.values()):
        session = account["aws"].assumed_roles.pop(access_key_id, None)
        if session is not None:
            iam_backends[session.account_id]["aws"].access_keys.pop(access_key_id, None)


def install() -> None:
    """Make moto's server use these sessions."""
    put_in_place(moto_sts.sts_backends, Backend, moto_urls, Responses.dispatch)
