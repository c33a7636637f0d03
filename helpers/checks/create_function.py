"""What the exercises of notebook 03 are checked by: three functions and their settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helpers import course, steps
from helpers.account.things import look_at_function
from helpers.checks.looking import see
from helpers.checks.points import Point, exercise, missing, point, tagged
from helpers.clients import Client, client_for

DEFAULT_S = 3  # how long a call may take when nobody has said it


def settings_of(lambda_: Client, name: str) -> dict[str, Any]:
    """The settings of a function, as soon as none of them is being changed."""
    return see(
        lambda: lambda_.get_function_configuration(FunctionName=name),
        lambda has: (has["State"], has.get("LastUpdateStatus")) == ("Active", "Successful"),
        local_s=5,
    )


def variables_of(settings: dict[str, Any]) -> dict[str, str]:
    """The environment variables of a function."""
    found: dict[str, str] = settings.get("Environment", {}).get("Variables", {})
    return found


@exercise
def check_more_memory() -> Iterator[Point]:
    """PracticeFunction is as the course's function, and has 256 MB of memory."""
    lambda_ = client_for("lambda")
    function = look_at_function(lambda_, name := course.name(course.PRACTICE_FUNCTION))
    if function is None:
        yield missing("function", name)
        return
    has = settings_of(lambda_, name)
    yield point(
        has["MemorySize"] == 256, "It has 256 MB of memory.", about_memory(lambda_, has, 256)
    )
    yield point(
        (has["Runtime"], has["Handler"]) == (steps.RUNTIME, steps.HANDLER),
        "Runtime and handler are those of the first function.",
        f"Its runtime is {has['Runtime']} and its handler {has['Handler']}; they should be "
        f"{steps.RUNTIME} and {steps.HANDLER}.",
    )
    yield tagged(function)


def about_memory(lambda_: Client, has: dict[str, Any], wanted_mb: int) -> str:
    """What is wrong with a function's memory, as far as it can be told."""
    wrong = f"It has {has['MemorySize']:,} MB of memory, not {wanted_mb:,}"
    if has["Timeout"] == wanted_mb:
        return (
            f"{wrong}, and may run for {wanted_mb} s: Timeout is the time, MemorySize the memory."
        )
    first = look_at_function(lambda_, course.name(course.FUNCTION))
    if first and settings_of(lambda_, first.name)["MemorySize"] == wanted_mb:
        return f"{wrong}, and {first.name} has: FunctionName says which function is changed."
    return f"{wrong}: MemorySize is a whole number of MB."


@exercise
def check_report() -> Iterator[Point]:
    """PracticeReport may run for two minutes, with 1,024 MB, and knows its currency."""
    lambda_ = client_for("lambda")
    function = look_at_function(lambda_, name := course.name("PracticeReport"))
    if function is None:
        yield missing("function", name)
        return
    has = settings_of(lambda_, name)
    timeout_s = has["Timeout"]
    yield point(
        timeout_s == 120, "A report may take two minutes, and no longer.", about_time(timeout_s)
    )
    yield point(
        has["MemorySize"] == 1024,
        "It has 1,024 MB of memory.",
        f"It has {has['MemorySize']:,} MB of memory, and the report needs 1,024.",
    )
    variables = variables_of(has)
    yield point(
        variables.get("CURRENCY") == "EUR",
        "It reckons in EUR, by a setting and not by its code.",
        about_variable(variables, "CURRENCY", "EUR"),
    )
    yield tagged(function)


def about_time(timeout_s: int) -> str:
    """What is wrong with a timeout that should be two minutes."""
    if timeout_s == 2:
        return "A report is stopped after 2 s: Timeout is in seconds, and two minutes have 120."
    if timeout_s < 120:
        default = ", the default" if timeout_s == DEFAULT_S else ""
        return f"A report is stopped after {timeout_s} s{default}: it needs up to 120."
    return (
        f"A report that hangs would run, and be paid, for {timeout_s} s: two minutes are 120 s, "
        "and no more is needed."
    )


def about_variable(variables: dict[str, str], name: str, value: str) -> str:
    """What is wrong with an environment variable."""
    if not variables:
        return (
            f"It has no environment variables: pass "
            f'Environment={{"Variables": {{"{name}": "{value}"}}}}.'
        )
    if name in variables:
        return f"{name} is {variables[name]!r}, and should be {value!r}."
    alike = [each for each in variables if each.lower() == name.lower()]
    if alike:
        return f"It has the variable {alike[0]}, and a program that asks for {name} finds none."
    return f"It has the variables {', '.join(sorted(variables))}, and none that is called {name}."


@exercise
def check_bakery(program: str) -> Iterator[Point]:
    """PracticeBaker has the bakery's program still, and settings with which it can be called."""
    lambda_ = client_for("lambda")
    function = look_at_function(lambda_, name := course.name("PracticeBaker"))
    if function is None:
        yield missing("function", name)
        return
    has = settings_of(lambda_, name)
    yield point(
        has["CodeSha256"] == steps.package_hash(program),
        "The program is the bakery's own.",
        "The program has been changed: deploy BAKERY again with update_function_code, and mend "
        "the settings.",
    )
    yield point(
        has["Handler"] == "lambda_function.bake",
        "Lambda begins in lambda_function.py, at bake.",
        about_handler(has["Handler"]),
    )
    variables = variables_of(has)
    advice = about_variable(variables, "OVEN", "stone")
    if not variables:
        advice = f"The program asks for OVEN, and ends with a KeyError. {advice}"
    if has["Handler"] == "lambda_function.bake":  # before that nobody sees the second fault
        yield point(variables.get("OVEN") == "stone", "It knows its oven.", advice)
    yield tagged(function)


def about_handler(setting: str) -> str:
    """What is wrong with the handler setting of the bakery."""
    wrong = f"The handler setting is {setting}"
    if setting == "bake.lambda_function":
        return f"{wrong}: the halves have changed places. First comes the file, then the function."
    if ".py" in setting:
        return f"{wrong}: the file is named without its .py."
    if "." not in setting:
        return f"{wrong}, which is one half only: before the dot stands the file, without its .py."
    if setting.startswith("lambda_function."):
        return f"{wrong}, and the program has no function of that name: look at the word after def."
    return f"{wrong}, and the package has no such file. It has lambda_function.py."
