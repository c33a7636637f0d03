"""What a learner does: guesses, exercises, questions, and how far they are."""
