"""How mail leaves: MX hosts and their order, TLS policy, connections, other ways out."""
