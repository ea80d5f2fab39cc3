"""Predictive tables: what comes next, and how reliable the forecasts are."""
