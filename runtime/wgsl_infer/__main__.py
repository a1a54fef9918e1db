"""`python -m wgsl_infer`, the same as the `wgsl-infer` command."""

import sys

from .cli import main

sys.exit(main())
