"""The recordings that the tests of playback use are also those of the web's, and so are the rules of formats."""

import sys
from pathlib import Path

for folder in ("playback", "formats"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
