"""What does a whole job from a recipe: from glasses that are simulated to the report."""
