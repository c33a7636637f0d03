"""The course for a reader without Python: a site made of the stored notebooks and of docs/.

Nothing is run. It is part of neither the course kit nor its tests, so it lies beside what it shows,
with an environment of its own (`make site`).
"""
