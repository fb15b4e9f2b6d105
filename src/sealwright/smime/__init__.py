"""S/MIME (RFC 8551, RFC 9788): between MIME entities and CMS. Pure."""
