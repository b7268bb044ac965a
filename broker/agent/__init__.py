"""What outlives one command: the container endpoint for programs that ask again and again."""
