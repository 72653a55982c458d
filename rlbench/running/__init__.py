"""From a request to stored results: plan, cohorts, workers, events, store."""
