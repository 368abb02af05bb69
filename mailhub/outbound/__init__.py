"""How mail leaves: MX hosts in their order, TLS policy, connections, other ways."""
