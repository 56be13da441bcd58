"""What people look at: questions of the console, figures per minute, the report, exports, the readable profile,
other policies replayed on the decision log."""
