"""What outlives one command: unlocked sessions in memory, for as many programs as ask."""
