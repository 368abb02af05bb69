"""The server as several processes: a master that holds the sockets, and workers."""
