// MetricsText
