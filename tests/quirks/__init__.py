"""Every quirk of the vendors that somebody reported, as a call over a real socket."""
