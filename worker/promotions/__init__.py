"""What a promotion goes by: evidence and gates, who may say what, moving, going back, and what was changed by hand."""
