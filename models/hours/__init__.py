"""How much and how energetically a listener listens in each hour."""
