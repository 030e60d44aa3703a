"""What pipelines of all kinds of data share: order, epochs, sources, sharding."""
