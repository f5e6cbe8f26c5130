package cdc

import "github.com/helios-sql/helios-sql/internal/pgtest"

// TestServer is the server of the tests, for the examples.
func TestServer() *pgtest.Server { return server }
