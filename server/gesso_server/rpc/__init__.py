"""gRPC handlers: check, convert, call one function, convert back."""
