"""Other people's mail clients, over real sockets."""
