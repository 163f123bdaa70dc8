"""What is shipped: who imports whom, which names are public, what the wheels hold, what an installation finds."""
