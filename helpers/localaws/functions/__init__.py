"""Lambda's functions, versions and aliases."""
