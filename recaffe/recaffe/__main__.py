"""`python -m recaffe COMMAND ...`: see recaffe.commands."""

from recaffe.commands import main

raise SystemExit(main())
