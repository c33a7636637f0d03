"""A local AWS that is as slow and as weak as AWS: `python -m helpers.localaws run --like-aws`.

`profiles` is the one place to read what is simulated, with how sure each figure is. Nothing of
this folder is loaded, and nothing of it is on the way of a call, unless it is asked for. What
passes here is rehearsed; it is not proved on AWS.
"""
