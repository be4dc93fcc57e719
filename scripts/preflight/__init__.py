"""The front door of preflight: a file of pairs in, a page out. On top of the phases, as studies are."""
