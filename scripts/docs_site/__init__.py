"""What the documentation site shows of the code (tables, lineage, commands, settings), and the check of its links."""
