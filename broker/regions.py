"""AWS's regions. Owns the form of their names."""

REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"
