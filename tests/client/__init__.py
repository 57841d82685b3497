"""The client package against a service of its own contract, and in real crawls."""
