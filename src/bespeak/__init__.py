"""Bespeak turns what people do into what they see next."""
