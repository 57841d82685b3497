"""Real servers on a bare machine, and child processes kept running beside them.

PostgreSQL and two Valkeys come from wheels and live under one data folder:

    with Servers.start(data) as servers, Supervisor(programs, servers) as supervisor:
        supervisor.wait()
"""

from enrichment.embedded.account import EmbeddedError
from enrichment.embedded.postgres import drop_database, new_database
from enrichment.embedded.servers import Addresses, Servers, temporary_servers
from enrichment.embedded.supervisor import Program, Supervisor

__all__ = [
    "Addresses",
    "EmbeddedError",
    "Program",
    "Servers",
    "Supervisor",
    "drop_database",
    "new_database",
    "temporary_servers",
]
