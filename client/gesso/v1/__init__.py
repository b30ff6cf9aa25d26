"""The contract of `proto/gesso/v1`, generated: change the .proto files and run `make proto`."""
