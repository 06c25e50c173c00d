"""Training a few weights of a model: low-rank updates, bottlenecks, soft prompts, biases, chosen names."""
