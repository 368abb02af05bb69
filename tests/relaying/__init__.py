"""Mail between this server and others: Postfix and Exim in either place."""
