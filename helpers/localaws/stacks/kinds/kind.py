"""What a type of resources is."""

from __future__ import annotations

import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from helpers.localaws.stacks.calls import Calls

RANDOM_LENGTH = 12
LETTERS = string.ascii_letters + string.digits


class Made(NamedTuple):
    """A resource: what Ref says of it, and what Fn::GetAtt says."""

    physical_id: str
    attributes: dict[str, Any]


def ignore(_physical_id: str) -> None:
    """Nobody needs to know."""


@dataclass(frozen=True)
class Wanted:
    """A resource as the template wants it, all its functions worked out.

    `tags` are the stack's and its own; `begun(physical id)` is called when something is there
    that would have to be deleted if the rest failed.
    """

    stack_name: str
    logical_id: str
    properties: Mapping[str, Any]
    tags: Mapping[str, str]
    begun: Callable[[str], None] = field(default=ignore, compare=False)

    def name(self, key: str, longest: int, suffix: str = "") -> str:
        """The name that the template gives, or one that is made up (STACK-LOGICALID-RANDOM)."""
        given = self.properties.get(key)
        return str(given) if given else self.made_up(longest, suffix)

    def made_up(self, longest: int, suffix: str = "") -> str:
        random = "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LENGTH))
        room = longest - RANDOM_LENGTH - 1 - len(suffix)
        return f"{f'{self.stack_name}-{self.logical_id}'[:room]}-{random}{suffix}"

    def some(self, *names: str) -> dict[str, Any]:
        """Those of the properties that are given."""
        return {name: self.properties[name] for name in names if name in self.properties}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


def changes(had: Wanted, wanted: Wanted, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that have other values now, those no longer given with their default."""
    names = had.properties.keys() | wanted.properties.keys()
    return {
        name: wanted.properties.get(name, defaults.get(name))
        for name in sorted(names)
        if had.properties.get(name) != wanted.properties.get(name)
    }


def changed_tags(had: Wanted, wanted: Wanted) -> tuple[dict[str, str], list[str]]:
    """The tags to set, and the keys of those to remove."""
    to_set = {key: value for key, value in wanted.tags.items() if had.tags.get(key) != value}
    return to_set, [key for key in had.tags if key not in wanted.tags]


class Kind(ABC):
    """A type of resources: what may be written of it, and the calls that it means.

    `properties` are those that are heeded, `attributes` what Fn::GetAtt knows, `name_property`
    the one that names a resource. `replaced_by` are properties that make another resource of
    it here, beside those of AWS's schema.
    """

    name: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    attributes: ClassVar[frozenset[str]] = frozenset()
    name_property: ClassVar[str] = ""
    replaced_by: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def create(self, aws: Calls, wanted: Wanted) -> Made:
        """Make it. Raises Failed or botocore's ClientError."""

    @abstractmethod
    def update(self, aws: Calls, made: Made, had: Wanted, wanted: Wanted) -> Made:
        """Change it where it stands."""

    @abstractmethod
    def delete(self, aws: Calls, made: Made, had: Wanted) -> None:
        """Delete it. That it is gone already is no error: the caller looks for that."""
