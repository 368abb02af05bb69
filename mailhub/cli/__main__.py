"""``python -m mailhub.cli``: the ``mailhub`` command without its script."""

import sys

from .main import main

sys.exit(main())
