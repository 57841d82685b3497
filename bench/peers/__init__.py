"""The same work as other people would do it, to be measured beside the fleet: small, and in each library's own idiom.

Each module has `submit(tracks, lane)`, and each is asked the same: for every track every source of `asking.ASKS`, a
fetch task per source, their parts merged into one row. Where upstreams have limits each keeps them as its library can.
"""
