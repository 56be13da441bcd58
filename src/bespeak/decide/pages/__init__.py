"""Whole pages: `choice` says which rows in which order, `page` fills them, each item once."""
