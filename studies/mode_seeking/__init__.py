"""The study of "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data" (arXiv 2404.14367)."""
