"""What preference data will do, told before it is trained on: findings on its text, its scores and its policy."""
