"""The rights of a person reach every place that holds them: the holders, export and erasure, retention."""
