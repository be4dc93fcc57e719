"""What Matters in Data for DPO? Its tables, its claims, its theory."""
