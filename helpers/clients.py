"""What boto3 hands out, for annotations."""

from __future__ import annotations

from typing import Any, TypeAlias

# boto3 makes its classes from AWS's models when a program runs: before that, they have no name.
Client: TypeAlias = Any
Table: TypeAlias = Any
