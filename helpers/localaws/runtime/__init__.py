"""Where handlers really run: execution environments and their worker processes."""
