"""The web console: pages for the person on call, rendered here, without anything from elsewhere."""
