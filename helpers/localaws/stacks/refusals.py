"""What CloudFormation refuses: errors with AWS's codes and texts.

Sources of the texts: the CloudFormation User Guide ("Troubleshooting", "Template reference"),
the API Reference's errors, and what users of AWS report.
"""

from __future__ import annotations

from collections.abc import Iterable

from moto.core.exceptions import ServiceException


class StackError(ServiceException):
    """An error of a call."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> StackError:
    return StackError("ValidationError", message)


def format_error(message: str) -> StackError:
    return invalid(f"Template format error: {message}")


def template_error(message: str) -> StackError:
    return invalid(f"Template error: {message}")


def not_here(message: str) -> StackError:
    """What AWS has and the local AWS has not, said where AWS would refuse a template."""
    return format_error(f"{message} This is a limit of the local AWS, not of AWS.")


def no_stack(name: str) -> StackError:
    return invalid(f"Stack with id {name} does not exist")


def no_stack_to_change(name: str) -> StackError:
    """What the calls say that change a stack or list its events."""
    return invalid(f"Stack [{name}] does not exist")


def no_change_set(name: str) -> StackError:
    return StackError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")


def exists(name: str) -> StackError:
    return StackError("AlreadyExistsException", f"Stack [{name}] already exists")


def unresolved(names: Iterable[str], block: str) -> StackError:
    listed = ", ".join(dict.fromkeys(names))
    return format_error(
        f"Unresolved resource dependencies [{listed}] in the {block} block of the template"
    )


def missing_capabilities(names: Iterable[str]) -> StackError:
    listed = ", ".join(names)
    return StackError("InsufficientCapabilitiesException", f"Requires capabilities : [{listed}]")


def violation(where: str, value: object, constraint: str) -> StackError:
    return invalid(
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy "
        f"constraint: {constraint}"
    )
