"""Which schedules there are, and when they run if the operator says nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from enrichment.services import backfill, merging, purge, warehouse
from enrichment.services.schedules import Schedule

WEEK_SECONDS = 6 * 86_400.0


def schedules(landing: str) -> Mapping[str, Schedule]:
    """By name. landing: folder or URL of the landing files."""
    found = (
        Schedule(
            "nightly_enrichment",
            "0 3 * * *",
            "tracks, performers and albums that nobody has asked for, or that have failed",
            backfill.asking(backfill.EVERYTHING),
        ),
        Schedule(
            "artwork_backfill",
            "30 3 * * *",
            "albums and performers without a picture",
            backfill.asking(backfill.TARGETS["artwork"]),
        ),
        Schedule("popular_tracks", "0 4 * * *", "the most played tracks", backfill.popular_tracks),
        Schedule("recheck", "30 4 * * *", "sources that knew nothing are asked again", backfill.recheck),
        Schedule("refresh", "0 5 * * *", "what is known is asked again before it goes stale", backfill.refresh),
        Schedule("duplicates", "15 5 * * *", "what has changed is looked at for duplicates", merging.looking),
        Schedule("purge", "30 5 * * *", "what is too old to be kept is deleted", purge.purging(landing)),
        Schedule(
            "weekly_artists",
            "0 7 * * 0",
            "artists for the warehouse: enrich, land, ingest, refresh",
            warehouse.weekly(landing),
            WEEK_SECONDS,
            warehouse.remove_landed,
        ),
    )
    return {schedule.name: schedule for schedule in found}
