"""What every backend must do; each backend's tests subclass these mixins."""
