"""Which AWS a notebook talks to, and what there belongs to the course."""
