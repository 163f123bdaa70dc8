"""What needs third-party libraries: WebSocket, resampling, fast coding. Imported by vendors inside their factory."""
