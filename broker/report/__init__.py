"""What a team's sign-ins look like, and what to mend: sources, rules, findings, forms."""
