"""3D-Properties: what DPO does to likelihoods, and what tames it."""
