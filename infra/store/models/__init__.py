"""Tables, one module a family. ``infra.store.schema`` gathers them."""
