"""awslogin's core. Imports nothing: the warm path reads this file at every start."""

__version__ = "0.1.0"
