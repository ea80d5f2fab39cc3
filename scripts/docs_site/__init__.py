"""What the documentation site shows of the code: pages of tables, lineage drawings, commands, settings; and the check of links."""
