"""The HTTP edge: REST, GraphQL, server-sent events and metrics. `service.app.create` makes it, `python -m service` serves it."""
