"""From a configuration to the parts of a server: concrete classes meet here."""
