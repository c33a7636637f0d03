"""The check after each exercise: it looks at what is really there and answers in sentences.

Each notebook has a module of checks of its own, named as the notebook is. `points` has what they
are made of, and `looking` how they look.
"""
