"""LLMs behind an API: what they cost, and where they are served."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from scripts.lib.config.base import Count, NotNegative, Positive, Spec


class Paid(Spec):
    """What is asked through an API: its prices, in any one currency, and how many requests run at once."""

    input_price: NotNegative | None = Field(None, description="Per million input tokens.")
    output_price: NotNegative | None = Field(None, description="Per million output tokens.")
    budget: Positive | None = Field(None, description="A job estimated to cost more is refused: one policy or family.")
    concurrency: Count = Field(5, description="Requests at a time.")

    @model_validator(mode="after")
    def _has_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price go together: set both")
        if self.budget is not None and self.input_price is None:
            raise ValueError("a budget needs input_price and output_price")
        return self


class Endpoint(Paid):
    """An LLM behind any OpenAI-compatible endpoint; its key is OPENAI_API_KEY."""

    model: str = Field(description="As the endpoint calls it.")
    base_url: str | None = Field(
        None, description="Where it is served; else the environment's OPENAI_BASE_URL, else OpenAI itself."
    )
    temperature: NotNegative = 0.0

    @field_validator("base_url")
    @classmethod
    def _has_no_secrets(cls, url: str | None) -> str | None:
        if url is not None and (not url.startswith(("http://", "https://")) or "@" in url or "?" in url):
            raise ValueError("an address such as http://localhost:8000/v1, without a name, password or query")
        return url
