"""What asks finished stores and writes none: learning, scores, activation."""
