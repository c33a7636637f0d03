"""The board: who has reached which check, who is stuck and where, and what the room guesses."""
