"""Tests against real programs instead of our own sandbox."""
