"""The command line. `cli.main:main` is `linernotes`."""
