"""Telephone calls answered by a realtime voice model."""
