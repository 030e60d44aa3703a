"""Images: folders, decoding, and the named sets."""
