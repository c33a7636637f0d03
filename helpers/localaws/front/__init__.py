"""How a call arrives: connections, who calls, whether the caller may, which service answers."""
