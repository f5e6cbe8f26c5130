package planner_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/helios-sql/helios-sql/internal/plantest"
	"github.com/helios-sql/helios-sql/sql/planner"
)

// TestExplain runs the golden files: exec-ddl, and bind, normalize, physical
// (the plan after that stage; of a view if the query is a CREATE MATERIALIZED VIEW).
func TestExplain(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		env := plantest.New()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "exec-ddl" {
				if err := env.DDL(d.Input); err != nil {
					return fmt.Sprintf("error: %v\n", err)
				}
				return ""
			}
			stage, ok := planner.ParseStage(d.Cmd)
			if !ok {
				t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
			}
			q, view, err := env.Bind(d.Input)
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			mode := planner.OneShot
			if view {
				mode = planner.View
			}
			text, err := planner.Explain(stage, q, mode, env.Shared)
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			return text
		})
	})
}

// TestFingerprintIsDurable holds the names of operators' states: when they
// change, every view is hydrated anew. Change physical.StateVersion on purpose, not this by accident.
func TestFingerprintIsDurable(t *testing.T) {
	env := plantest.New()
	if err := env.DDL("CREATE TABLE orders (id int8 PRIMARY KEY, customer_id int4, region text, amount numeric); CREATE TABLE customers (id int4 PRIMARY KEY, name text)"); err != nil {
		t.Fatal(err)
	}
	q, _, err := env.Bind("SELECT c.name, sum(o.amount), min(o.region) FROM orders o JOIN customers c ON o.customer_id = c.id WHERE o.region IN ('eu', 'us') GROUP BY c.name")
	if err != nil {
		t.Fatal(err)
	}
	p, err := planner.Plan(q, planner.View)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", p.Root.Fingerprint()), "af0ee369f68b9d4034cf8d1103ece102"; got != want {
		t.Errorf("fingerprint is %s, was %s", got, want)
	}
}
