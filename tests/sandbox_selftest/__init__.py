"""Holds the sandbox to its strictness: each rule accepts once and refuses once."""
