"""The study of "What Matters in Data for DPO?": its tables, claims and theory."""
