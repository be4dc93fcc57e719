"""Any pairs datasets against each other: which is better to train on, and whether it could have been told."""
