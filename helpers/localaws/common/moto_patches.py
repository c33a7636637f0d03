"""What moto forces: everything that is put into moto itself, each with its reason.

moto offers no way to register a backend, to name the class of what it makes or to keep what
it has looked up. What it lacks is put in from outside, here and nowhere else.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import moto.backends
from moto.core import responses
from moto.core.base_backend import BackendDict
from moto.core.serialize import BaseXMLSerializer
from moto.core.utils import method_names_from_class
from moto.utilities import aws_headers

if TYPE_CHECKING:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

Made = TypeVar("Made")


def put_in_place(
    backends: BackendDict[Any],
    backend: Callable[..., Any],
    urls: ModuleType | SimpleNamespace,
    dispatch: Callable[..., Any],
    paths: Iterable[str] | None = None,
    **made_with: Any,
) -> None:
    """Make moto's server answer for a service with this backend and these responses.

    `backends` and `urls` are moto's own of the service; `paths` are the patterns that are
    answered to, by default moto's. `made_with` is what the backend's constructor takes beside
    a region and an account.
    """
    # moto calls this with an account and a region, and takes no objects that are made.
    replace(backends, "backend", functools.partial(backend, **made_with))
    # A backend finds its paths in the module beside its own, where ours has none.
    replace(backend, "_url_module", urls)
    patterns = list(urls.url_paths if paths is None else paths)
    urls.url_paths.clear()  # the dictionary itself stays: who imported it holds it
    urls.url_paths.update(dict.fromkeys(patterns, dispatch))


def bring_in(backends: BackendDict[Any]) -> None:
    """Make moto's server find these backends of a service, and never import its own module.

    moto's module of CloudFormation imports those of nearly all other services: two seconds.
    """
    find = moto.backends.get_backend

    def found(name: Any) -> Any:
        return backends if name == backends.service_name else find(name)

    replace(moto.backends, "get_backend", found)


def replace(owner: object, name: str, ours: Any) -> None:
    """Put ours in the place of what moto's own code finds by this name in one of its things.

    Raises AttributeError if moto has it no more.
    """
    getattr(owner, name)
    setattr(owner, name, ours)


def become(made: object, kind: type[Made]) -> Made:
    """Make what moto has just made one of our kind, where moto names its class in its own code."""
    made.__class__ = kind
    assert isinstance(made, kind)
    return made


class WorkedOut(property):
    """A property in the place of an attribute of moto's, which its constructor assigns in vain."""

    def __set__(self, _owner: object, _value: object) -> None:
        """A plain property would raise."""


def remember_look_ups() -> None:
    """moto lists its own folders and methods anew for each request, more than half its time."""
    modules = tuple(moto.backends.list_of_moto_modules())
    replace(moto.backends, "list_of_moto_modules", lambda: modules)
    replace(responses, "method_names_from_class", functools.cache(method_names_from_class))


def write_as_aws() -> None:
    """moto's request ids are 52 letters, AWS's are UUIDs; errors in XML say their message once.

    DF-13. moto writes what an error has as a member of its model beside what every error has.
    """
    for module in (responses, aws_headers):
        replace(module, "gen_amzn_requestid_long", write_request_id)
    write = BaseXMLSerializer._serialize_error_metadata

    def write_once(serializer: Any, serialized: dict[str, Any], *error: Any) -> None:
        write(serializer, serialized, *error)
        serialized.pop("message", None)

    replace(BaseXMLSerializer, "_serialize_error_metadata", write_once)


def write_request_id(headers: dict[str, Any]) -> str:
    """Give an answer its request id."""
    headers["x-amzn-requestid"] = str(uuid.uuid4())
    return headers["x-amzn-requestid"]


def remember_hosts(application: DomainDispatcherApplication) -> None:
    """moto looks through the patterns of all services for each request's host."""
    find = functools.cache(application.get_backend_for_host)
    replace(application, "get_backend_for_host", find)
