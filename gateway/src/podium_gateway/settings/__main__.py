"""`python -m podium_gateway.settings`: docs/settings.md."""

import sys

from podium_gateway.settings import table

sys.stdout.write(table())
