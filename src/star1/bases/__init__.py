"""Models that are not trained here: the miniature, a model of the Hub, a folder. One package for each source."""
