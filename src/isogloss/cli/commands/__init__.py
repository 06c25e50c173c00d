"""One file a verb: ``HELP``, ``configure(parser)`` and ``run(options, console)``; the folder listing is the list."""
