"""Is On-Policy Data Always the Best Choice for DPO-based LM Alignment?: stages, and the boundary between them."""
