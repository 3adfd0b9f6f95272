"""`python -m bulk_update` is the console script `bulk-update`."""

import sys

from bulk_update.cli import main

if __name__ == "__main__":
    sys.exit(main())
