"""A learner whose cell cannot go on reads a sentence, not a traceback."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError
from IPython import get_ipython

from helpers.localaws import lifecycle
from helpers.localaws.lifecycle import Server, StartFailed, WrongFolder

ENDED = (
    "The local AWS has ended, and what was in it is gone.\n"
    "Run the notebook from the top: its first cell starts a new one."
)


class WrongSetting(ValueError):
    """A setting of the course, or of the account that it should use, cannot be taken."""


class LocalAwsEnded(RuntimeError):
    """The local AWS that the notebook's first cell connected to is not there any more."""

    def __init__(self) -> None:
        super().__init__(ENDED)


def watch(server: Server) -> None:
    """Let calls of boto3's default session raise LocalAwsEnded once this server has ended.

    botocore would try again for some seconds, and then name an address.
    """

    def look(caught_exception: Exception | None, **_others: Any) -> None:
        lost = isinstance(caught_exception, (NoConnection, HTTPClientError))
        if lost and not lifecycle.is_alive(server):
            raise LocalAwsEnded from None

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register_first("needs-retry.*", look)


def show_as_sentences(*kinds: type[Exception]) -> None:
    """In a notebook, show such exceptions, and those here, as their message. The cell fails."""
    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc(
            (WrongSetting, LocalAwsEnded, StartFailed, WrongFolder, *kinds), show_sentence
        )


def show_sentence(
    shell: Any, kind: type[Exception], error: Exception, _trace: Any, tb_offset: Any = None
) -> None:
    shell._showtraceback(kind, error, [str(error)])
