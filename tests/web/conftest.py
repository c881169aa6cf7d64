"""What the tests of playback, of formats and of disks use."""

import sys
from pathlib import Path

for folder in ("playback", "formats", "archive"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))
