"""RFC 5280 and its neighbours: names, profiles, requests, certification paths. Pure."""
