"""The core: values, rules and use cases. It knows no platform, store, web or configuration."""
