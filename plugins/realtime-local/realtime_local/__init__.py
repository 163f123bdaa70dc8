"""A voice model in the box for `realtime-core`: no vendor, no key, no network."""
