"""Section 3 and appendix B, checked against automatic derivatives on random instances."""
