"""A page that answers "what if" by dragging, and the JSON interface behind it."""
