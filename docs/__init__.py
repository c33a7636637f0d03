"""Documentation, and what makes a site of it: a package, so that no other `docs` is found first."""
