"""How mail leaves: MX hosts in order, TLS policy, connections, other ways out."""
