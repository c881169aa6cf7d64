"""The tests of live streams use the transport streams of the tests of formats."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "formats"))
