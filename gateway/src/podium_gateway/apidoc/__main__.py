"""`python -m podium_gateway.apidoc > docs/api.md`."""

import sys

from podium_gateway.apidoc.page import page
from podium_gateway.app import described

sys.stdout.write(page(described().openapi()))
