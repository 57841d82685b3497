"""The SQL of the reservoir: claim, fence, findings, subjects, dead letters, the state of the fleet.

Every function takes a connection and leaves transactions to its caller. Locks are always taken in one order: names
(advisory), performers, albums, tracks (each by id), then lookups; claims skip what is locked.
"""
