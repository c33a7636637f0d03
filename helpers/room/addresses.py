"""The address under which others in the room reach this computer."""

from __future__ import annotations

import socket

import psutil


def of_this_computer() -> str:
    """The first IPv4 address of this computer that is not its own loopback; else 127.0.0.1."""
    for interface in psutil.net_if_addrs().values():
        for each in interface:
            if each.family == socket.AF_INET and not each.address.startswith("127."):
                return str(each.address)
    return "127.0.0.1"
