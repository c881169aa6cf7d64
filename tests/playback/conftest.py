"""The recordings and rules that the tests of formats use are also those of playback."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "formats"))
