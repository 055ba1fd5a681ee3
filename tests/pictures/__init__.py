"""Pictures of what people see, for the README and for whoever changes a renderer."""
