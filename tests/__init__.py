"""awslogin's tests; they mirror the code."""
