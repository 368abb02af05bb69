"""Login: the realm, credential checkers, password schemes, throttling, SASL."""
