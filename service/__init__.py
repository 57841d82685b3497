"""The HTTP edge: REST, GraphQL, server-sent events, metrics. `python -m service` serves it."""
