"""From a database to blobs: records in key order (cursor), made ready (transformer), ahead of time (prefetch)."""
