"""Takes are measured, gates judge them, and the verdict says what it judged."""
