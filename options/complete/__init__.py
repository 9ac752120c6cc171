"""What completes a command line: recipes by name, a donor's network flags, a run's name, and help."""
