"""What the notifiers share: cards, notices, posting in bounds. No notifier knows a notifier."""
