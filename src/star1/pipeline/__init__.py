"""What all stages share: declared params and paths, the graph of dvc.yaml, presets, places on disk."""
