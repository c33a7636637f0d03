"""The settings of the local AWS, from environment variables."""

from __future__ import annotations

import os

STATUS_PATH = "/_localaws"
CLIENT_IS_GONE = "localaws.client_is_gone"  # in a request's environ: whether nobody waits for it
DEFAULT_IDLE_MINUTES = 240.0
RETRY_PAUSE_S = 60.0  # Lambda's own, before the first retry of an asynchronous event (LS-097)
# Settings of the user's own AWS and of moto: a server started from a shell that has them would
# read another profile's region or credentials, or answer for another account.
FOREIGN_BEGINNINGS = ("AWS_", "BOTO_", "MOTO_")
# What moto shall do; it reads some of these when it is imported and some when it is used.
MOTO = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_ENABLE_ISO_REGIONS": "false",
}


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


def check() -> None:
    """Raises ValueError, naming it, for the first of these settings that is not allowed."""
    idle_seconds()
    retry_pause_seconds()


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
