"""The toy model of section 3.2: four prompts, ten responses, a small network."""
