"""Handlers stand in cells as code: `%%handler NAME` keeps the cell's program as text.

    %%handler FAILS
    import json

    def lambda_handler(event, context):
        raise ValueError("the card service did not answer")

The cell holds a whole program, as the file `lambda_function.py` does: its imports are in it, and
what may change comes from environment variables, as on AWS. It is checked here and not run, so
it may read a variable that only the function has. Then `FAILS` is a str, which
`experiments.build`, `experiments.deploy` and `steps.make_package` take.
"""

from __future__ import annotations

import traceback

from IPython import get_ipython


class WrongHandler(ValueError):
    """A cell that begins with %%handler cannot be read, or names no variable."""


def load() -> None:
    """Let the cells of this notebook use `%%handler`. Outside a notebook nothing happens."""
    shell = get_ipython()
    if shell is not None:
        shell.register_magic_function(keep, "cell", "handler")


def keep(line: str, cell: str) -> None:
    """Put the program of a cell into the variable that its first line names.

    Raises WrongHandler for a name that is none, and for a program that Python cannot read.
    """
    name = line.strip()
    if not name.isidentifier():
        raise WrongHandler(
            f"%%handler is followed by {name!r}; write one name there, such as %%handler HANDLER."
        )
    check(cell)
    get_ipython().user_ns[name] = cell


def check(program: str) -> None:
    """Raise WrongHandler, with Python's own words, for what Python cannot read."""
    try:
        compile(f"\n{program}", "the handler in this cell", "exec")  # the magic is line 1
    except SyntaxError as error:
        raise WrongHandler("".join(traceback.format_exception_only(error)).rstrip()) from None
