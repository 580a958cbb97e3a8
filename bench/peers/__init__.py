"""What a reader would otherwise pick: other job queues, each doing the same work, in an environment of their own."""
