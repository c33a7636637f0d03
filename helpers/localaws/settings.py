"""The settings of the local AWS, from environment variables."""

from __future__ import annotations

import os
from typing import NamedTuple

STATUS_PATH = "/_localaws"
CLIENT_IS_GONE = "localaws.client_is_gone"  # in a request's environ: whether nobody waits for it
DEFAULT_IDLE_MINUTES = 240.0
DEFAULT_MOST_CONCURRENCY = 40
MOST_AT_ONCE = 100  # of all functions together; AWS gives new accounts as few as 10
RETRY_PAUSE_S = 60.0  # Lambda's own, before the first retry of an asynchronous event (LS-097)
METRIC_MINUTE_S = 60
# Settings of the user's own AWS and of moto: a server started from a shell that has them would
# read another profile's region or credentials, or answer for another account.
FOREIGN_BEGINNINGS = ("AWS_", "BOTO_", "MOTO_")
# What moto shall do; it reads some of these when it is imported and some when it is used.
MOTO = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_ENABLE_ISO_REGIONS": "false",
}

PROFILES = ("typical", "slow", "hostile")  # of a rehearsal
MAX_SEED, MAX_SCALE = 2**31 - 1, 10.0


class LikeAws(NamedTuple):
    """A local AWS that is as slow and as weak as AWS: which profile, which draws.

    `scale` multiplies its delays.
    """

    profile: str
    seed: int = 1
    scale: float = 1.0

    @property
    def words(self) -> str:
        scaled = "" if self.scale == 1 else f", scale {self.scale:g}"
        return f"profile {self.profile}, seed {self.seed}{scaled}"

    @property
    def arguments(self) -> list[str]:
        """The same for the command `python -m helpers.localaws run`."""
        return ["--like-aws", self.profile, "--seed", str(self.seed), "--scale", str(self.scale)]


def read_like_aws(
    profile: str,
    seed: str,
    scale: str,
    names: tuple[str, str, str] = ("--like-aws", "--seed", "--scale"),
) -> LikeAws:
    """The options of a rehearsal, from texts. Raises ValueError, naming it, for a wrong one."""
    if profile not in PROFILES:
        raise ValueError(f"{names[0]} is {profile!r}; it must be one of {', '.join(PROFILES)}.")
    is_number = seed.isascii() and seed.isdecimal() and len(seed) <= len(str(MAX_SEED))
    if not is_number or int(seed) > MAX_SEED:
        raise ValueError(f"{names[1]} is {seed!r}; it must be a whole number from 0 to {MAX_SEED}.")
    try:
        number = float(scale)
    except ValueError:
        number = 0.0
    if not 0 < number <= MAX_SCALE:
        raise ValueError(
            f"{names[2]} is {scale!r}; it must be a number above 0, at most {MAX_SCALE:g}."
        )
    return LikeAws(profile, int(seed), number)


def idle_seconds() -> float:
    """After how long without a call the local AWS stops by itself, in s.

    LOCALAWS_IDLE_MINUTES sets it in minutes. Raises ValueError for anything but a positive
    number.
    """
    return 60 * positive_number("LOCALAWS_IDLE_MINUTES", DEFAULT_IDLE_MINUTES, "minutes")


def retry_pause_seconds() -> float:
    """The pause before an asynchronous event is tried again, in s; the second one is twice that.

    LOCALAWS_RETRY_PAUSE_S sets it, so that a test need not wait for three minutes. Raises
    ValueError for anything but a positive number.
    """
    return positive_number("LOCALAWS_RETRY_PAUSE_S", RETRY_PAUSE_S, "seconds")


def most_concurrency() -> int:
    """How many invocations of one trigger run at once at most, whatever AWS would allow.

    LOCALAWS_MOST_CONCURRENCY sets it. Each is a process of its own on this computer, and one
    account's invocations are never more than 100. Raises ValueError for anything but a whole
    number from 1 to that.
    """
    text = os.environ.get("LOCALAWS_MOST_CONCURRENCY", str(DEFAULT_MOST_CONCURRENCY))
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_AT_ONCE))
    if not is_number or not 1 <= int(text) <= MOST_AT_ONCE:
        raise ValueError(
            f"LOCALAWS_MOST_CONCURRENCY is {text!r}; it must be a whole number from 1 to "
            f"{MOST_AT_ONCE}."
        )
    return int(text)


def metric_minute_seconds() -> int:
    """How long a minute of metrics lasts, in s: data points are of so long, and alarms are fast.

    LOCALAWS_METRIC_MINUTE_S sets it, so that a test need not wait for a minute until an alarm
    fires: an alarm with a period of 60 s then looks at periods of so many seconds. Times that
    are shown stay true. Raises ValueError for anything but a whole number that divides 60.
    """
    text = os.environ.get("LOCALAWS_METRIC_MINUTE_S", str(METRIC_MINUTE_S))
    allowed = [number for number in range(1, METRIC_MINUTE_S + 1) if METRIC_MINUTE_S % number == 0]
    if text not in map(str, allowed):
        raise ValueError(
            f"LOCALAWS_METRIC_MINUTE_S is {text!r}; it must be a whole number of seconds that "
            f"divides 60: {', '.join(map(str, allowed))}."
        )
    return int(text)


def check() -> None:
    """Raises ValueError, naming it, for the first of these settings that is not allowed."""
    idle_seconds()
    retry_pause_seconds()
    most_concurrency()
    metric_minute_seconds()


def positive_number(name: str, default: float, unit: str) -> float:
    """What an environment variable says. Raises ValueError, naming it, for no positive number."""
    text = os.environ.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{name} is {text!r}; it must be a number of {unit} above 0.")
    return number


def forget_foreign_settings() -> None:
    """Let nothing of the user's AWS settings reach this process: no variable and no file."""
    for name in list(os.environ):
        if name.upper().startswith(FOREIGN_BEGINNINGS):
            del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        **MOTO,
    )
