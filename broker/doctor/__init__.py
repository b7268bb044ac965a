"""What is wrong on this machine, and the command that mends it."""

from broker.doctor.examination import examine
from broker.doctor.finding import Finding, Machine, Severity, exit_code

__all__ = ["Finding", "Machine", "Severity", "examine", "exit_code"]
