"""A study: one table or one curve from many runs of the pipeline in a scratch copy, described by studies/NAME.yaml."""
