"""From a TOML corpus to a trained model: preprocess, train, and the `pipeline` command."""
