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
