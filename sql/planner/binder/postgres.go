package binder

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// postgresFunctionList names the functions of PostgreSQL 15 by kind, so that
// those we do not have are refused as such and not called undefined.
//
//go:embed postgres_functions.txt
var postgresFunctionList string

// postgresFunctions maps the names to what they are.
var postgresFunctions = sync.OnceValue(func() map[string]string {
	names := map[string]string{"grouping": "function"}
	kind := ""
	for line := range strings.Lines(postgresFunctionList) {
		words := strings.Fields(line)
		if line[0] != ' ' {
			kind, words = words[0], words[1:]
		}
		what := map[string]string{"function": "function", "set": "set-returning function", "ordered": "ordered-set aggregate"}[kind]
		if what == "" {
			what = kind + " function"
		}
		for _, w := range words {
			names[w] = what
		}
	}
	return names
})

// foreign reports whether a call names a function that PostgreSQL has and we do not.
func foreign(c *ast.Call, name string) bool {
	return (len(c.Name) == 1 || c.Name[0] == "pg_catalog") && postgresFunctions()[name] != "" &&
		scalar.Functions(name) == nil && scalar.Aggregates(name) == nil
}
