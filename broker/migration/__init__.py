"""Leaving static keys behind: `migrate`, in steps that can be undone."""
