"""The one place where requests leave and replies are judged: turn, cache, breaker, deadline, transports."""
