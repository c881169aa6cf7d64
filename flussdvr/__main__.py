"""`python -m flussdvr` is the command line."""

from flussdvr.cli import main

raise SystemExit(main())
