"""One file for each way of reaching a model: a URL, the simulator, transformers in this process, a vLLM server."""
