"""The recordings that the tests of playback use are also those of the web's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "playback"))
