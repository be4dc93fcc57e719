"""What the policy says of the pairs: whether they hold anything better than it can do, and how it sees both sides."""
