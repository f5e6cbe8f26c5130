package cdc

import "github.com/helios-sql/helios-sql/internal/pgtest"

// SharedServer is the server of the tests, for the examples.
func SharedServer() *pgtest.Server { return server }
