"""Launchers of real programs on loopback: what the suite signs in to and stores secrets in.

Each module starts one program in a folder of its own, as a context manager. The programs come from
`scripts/install-test-parts`; a missing one is an error here, never a skipped test.
"""
