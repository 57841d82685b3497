"""What OpenAPI says holds for whatever is sent: schemathesis makes up requests, good and bad.

`LINERNOTES_SCHEMA_CASES` sets how many for each route and kind of data; docs/http.md has the command for ten thousand.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode

from tests.service.conftest import Api

CASES = int(os.environ.get("LINERNOTES_SCHEMA_CASES", "6"))
