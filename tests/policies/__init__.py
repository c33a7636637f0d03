"""The policies in data/policies: made from what the notebooks call, and tried on the local AWS."""
