"""Answers, in five categories: descriptive, diagnostic, predictive, prescriptive and cognitive."""
