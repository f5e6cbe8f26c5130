package norm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/helios-sql/helios-sql/internal/plantest"
	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/norm"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

func fold(e scalar.Expr) scalar.Expr {
	if f, err := eval.Fold(e); err == nil {
		return f
	}
	return e
}

// TestRules runs the golden files: exec-ddl, rel (the bound plan), norm
// expect=Rule or expect-not=Rule (the normalized plan, and whether the rule was applied),
// keys (the unique keys of the result).
func TestRules(t *testing.T) {
	fired := map[string]bool{}
	datadriven.Walk(t, "testdata/rules", func(t *testing.T, path string) {
		env := plantest.New()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "exec-ddl" {
				if err := env.DDL(d.Input); err != nil {
					return fmt.Sprintf("error: %v\n", err)
				}
				return ""
			}
			q, _, err := env.Bind(d.Input)
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			if d.Cmd == "rel" {
				return rel.String(q.Root)
			}
			m := memo.New()
			var applied []string
			n := norm.Normalize(m, q.Root, norm.Options{Fold: fold, Trace: func(r string) { applied = append(applied, r) }})
			for _, r := range applied {
				fired[r] = true
			}
			check(t, d, applied)
			if d.Cmd == "keys" {
				var b strings.Builder
				for _, k := range m.Props(n).Keys {
					fmt.Fprintln(&b, k)
				}
				return b.String()
			}
			again := norm.Normalize(m, n, norm.Options{Fold: fold})
			if m.Intern(again) != m.Intern(n) {
				t.Errorf("%s: normalizing again gives another plan:\n%s", d.Pos, rel.String(again))
			}
			return rel.String(n)
		})
	})
	for _, r := range norm.Rules() {
		if !fired[r] {
			t.Errorf("no golden test applies rule %s", r)
		}
	}
}

func check(t *testing.T, d *datadriven.TestData, applied []string) {
	for _, arg := range d.CmdArgs {
		for _, rule := range arg.Vals {
			if !slices.Contains(norm.Rules(), rule) {
				t.Errorf("%s: there is no rule %s", d.Pos, rule)
			}
			if slices.Contains(applied, rule) != (arg.Key == "expect") {
				t.Errorf("%s: %s=%s, but applied were %v", d.Pos, arg.Key, rule, applied)
			}
		}
	}
}
