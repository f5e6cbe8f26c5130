package planner_test

import (
	"testing"

	"github.com/helios-sql/helios-sql/internal/plantest"
	"github.com/helios-sql/helios-sql/sql/planner"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
)

func pointQuery(tb testing.TB) *binder.Query {
	env := plantest.New()
	if err := env.DDL("CREATE TABLE orders (id int8 PRIMARY KEY, region text, amount numeric)"); err != nil {
		tb.Fatal(err)
	}
	q, _, err := env.Bind("SELECT region, amount FROM orders WHERE id = $1")
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func TestSubstituteParams(t *testing.T) {
	p, err := planner.Plan(pointQuery(t), planner.OneShot)
	if err != nil {
		t.Fatal(err)
	}
	before := physical.Format(p, nil)
	bound := physical.SubstituteParams(p, []types.Datum{types.DInt(7)})
	want := "project region#1, amount#2\n" +
		" └── source orders at id = '7'::bigint  key=(id)\n"
	if got := physical.Format(bound, nil); got != want {
		t.Errorf("got\n%s", got)
	}
	if physical.Format(p, nil) != before {
		t.Error("the prepared plan changed")
	}
	if bound.Root.Fingerprint() == p.Root.Fingerprint() {
		t.Error("the fingerprint does not tell the values apart")
	}
	again := physical.SubstituteParams(p, []types.Datum{types.DInt(7)})
	if bound.Root.Fingerprint() != again.Root.Fingerprint() {
		t.Error("equal values give other fingerprints")
	}
}

func BenchmarkPlanPointQuery(b *testing.B) {
	q := pointQuery(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := planner.Plan(q, planner.OneShot); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSubstituteParams(b *testing.B) {
	p, err := planner.Plan(pointQuery(b), planner.OneShot)
	if err != nil {
		b.Fatal(err)
	}
	args := []types.Datum{types.DInt(7)}
	b.ReportAllocs()
	for b.Loop() {
		physical.SubstituteParams(p, args)
	}
}
