"""How good the matching is: scorecards over labelled data."""
