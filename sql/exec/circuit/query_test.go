package circuit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/exec/internal/exectest"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// lookupRun is a table of pairs 0…9 × 0…9 by both columns.
func lookupRun(t *testing.T) (*exectest.Run, *rel.Scan) {
	tab := exectest.Table{Rel: 1, Name: "t", Key: []int{0, 1}, Cols: types.Schema{{Name: "a", Type: tInt, NotNull: true}, {Name: "b", Type: tInt, NotNull: true}}}
	scan := &rel.Scan{ID: 1, Name: "t", Cols: tab.Cols, Key: tab.Key}
	view, query, err := build(scan)
	if err != nil {
		t.Fatal(err)
	}
	run, err := exectest.NewRun([]exectest.Table{tab}, view, query)
	if err != nil {
		t.Fatal(err)
	}
	var events []exectest.Event
	for i := range 100 {
		row := types.AppendFixed4(types.AppendFixed4(nil, uint32(i/10)), uint32(i%10))
		events = append(events, exectest.Event{Rel: 1, Op: zset.Insert, New: row})
	}
	if _, err := run.Tick(events); err != nil {
		t.Fatal(err)
	}
	return run, scan
}

// A Lookup reads the rows of its range and no others.
func TestLookup(t *testing.T) {
	run, scan := lookupRun(t)
	a, b := &scalar.Column{Index: 0, Typ: tInt, Name: "a"}, &scalar.Column{Index: 1, Typ: tInt, Name: "b"}
	compare := func(name string, c scalar.Expr, v int64) scalar.Expr {
		return call("int4"+name+"(int4,int4)", c, intConst(v))
	}
	for _, c := range []struct {
		preds []scalar.Expr
		rows  int
	}{
		{[]scalar.Expr{compare("eq", a, 3)}, 10},
		{[]scalar.Expr{compare("eq", a, 3), compare("eq", b, 4)}, 1},
		{[]scalar.Expr{compare("eq", a, 3), compare("ge", b, 4)}, 6},
		{[]scalar.Expr{compare("eq", a, 3), compare("gt", b, 4), compare("le", b, 6)}, 2},
		{[]scalar.Expr{compare("lt", a, 2)}, 20},
		{[]scalar.Expr{compare("gt", a, 7)}, 20},
		{[]scalar.Expr{compare("gt", a, 7), compare("lt", a, 3)}, 0},
		{[]scalar.Expr{compare("eq", a, 30)}, 0},
	} {
		n, err := physical.NewBuilder(memo.New(), true).Build(&rel.Filter{Input: scan, Preds: c.preds})
		if err != nil {
			t.Fatal(err)
		}
		source := n
		for len(source.Inputs()) > 0 {
			source = source.Inputs()[0]
		}
		if source.(*physical.Source).Lookup == nil {
			t.Fatalf("the plan of %v has no lookup", scalar.String(c.preds[0]))
		}
		for _, n := range []physical.Node{source, n} {
			got, err := run.Store.Evaluate(n)
			if err != nil || got.Len() != c.rows {
				t.Errorf("%d rows, error %v; want %d", got.Len(), err, c.rows)
			}
		}
	}
}

func TestQueryErrors(t *testing.T) {
	run, scan := lookupRun(t)
	_, grouped, err := build(&rel.Distinct{Input: scan})
	if err != nil {
		t.Fatal(err)
	}
	none := func(types.Row, int64) error { return nil }
	err = circuit.Run(context.Background(), grouped, run.Store, circuit.QueryOptions{MemoryBudget: 2000}, none)
	if pgerr.CodeOf(err) != pgerr.OutOfMemory {
		t.Errorf("over the budget: %v", err)
	}
	stop := errors.New("enough")
	n := 0
	err = circuit.Run(context.Background(), grouped, run.Store, circuit.QueryOptions{}, func(types.Row, int64) error {
		if n++; n == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 5 {
		t.Errorf("stopped after %d rows with %v", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, cross, err := build(&rel.Join{L: scan, R: scan})
	if err != nil {
		t.Fatal(err)
	}
	if err := circuit.Run(ctx, cross, run.Store, circuit.QueryOptions{}, none); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A prepared query runs again with other parameters, and at other snapshots.
func TestPrepare(t *testing.T) {
	run, scan := lookupRun(t)
	a, b := &scalar.Column{Index: 0, Typ: tInt, Name: "a"}, &scalar.Column{Index: 1, Typ: tInt, Name: "b"}
	param := func(n int) scalar.Expr { return &scalar.Param{N: n, Typ: tInt} }
	equal := func(x, y scalar.Expr) scalar.Expr { return call("int4eq(int4,int4)", x, y) }
	plan := func(n rel.Node) physical.Node {
		p, err := physical.NewBuilder(memo.New(), true).Build(n)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, n := range []rel.Node{
		&rel.Distinct{Input: scan},
		&rel.Filter{Input: scan, Preds: []scalar.Expr{equal(b, param(1))}},
		&rel.Project{Input: scan, Exprs: []scalar.Expr{param(1)}, Names: []string{"p"}},
	} {
		if q, err := circuit.Prepare(plan(n)); q != nil || err != nil {
			t.Errorf("%T: a query %t, error %v", n, q != nil, err)
		}
	}
	point, err := circuit.Prepare(plan(&rel.Project{
		Input: &rel.Filter{Input: scan, Preds: []scalar.Expr{equal(a, param(2)), equal(b, param(1))}},
		Exprs: []scalar.Expr{b, a}, Names: []string{"b", "a"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	read := func(args ...types.Datum) (got string) {
		err := point.Run(context.Background(), run.Store, circuit.QueryOptions{Args: args}, func(row types.Row, w int64) error {
			got += fmt.Sprint(exectest.FormatRow([]types.Type{tInt, tInt}, row), w)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for i := range 100 {
		if got, want := read(types.DInt(int64(i%10)), types.DInt(int64(i/10))), fmt.Sprintf("(%d, %d)1", i%10, i/10); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	if got := read(types.NullDatum, types.DInt(1)) + read(types.DInt(3), types.DInt(10)); got != "" {
		t.Errorf("%q where there is no row", got)
	}
	row := types.AppendFixed4(types.AppendFixed4(nil, 10), 3)
	if _, err := run.Tick([]exectest.Event{{Rel: 1, Op: zset.Insert, New: row}}); err != nil {
		t.Fatal(err)
	}
	if got := read(types.DInt(3), types.DInt(10)); got != "(3, 10)1" {
		t.Errorf("%q after the insert", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = point.Run(ctx, run.Store, circuit.QueryOptions{Args: []types.Datum{types.DInt(3), types.DInt(3)}}, func(types.Row, int64) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// System relations are asked for their rows.
func TestSystemRelation(t *testing.T) {
	scan := &rel.Scan{ID: 77, Name: "sys", System: true, Cols: types.Schema{{Name: "a", Type: tInt}}}
	col := &scalar.Column{Typ: tInt, Name: "a"}
	_, query, err := build(&rel.Join{L: scan, R: scan, On: []scalar.Expr{call("int4eq(int4,int4)", col, &scalar.Column{Index: 1, Typ: tInt, Name: "a"})}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = circuit.Run(context.Background(), query, exectest.NewStore(), circuit.QueryOptions{System: func(rel uint32, emit func(types.Row) error) error {
		for i := range 3 {
			if err := emit(types.AppendFixed4(nil, rel+uint32(i))); err != nil {
				return err
			}
		}
		return nil
	}}, func(row types.Row, w int64) error {
		got = append(got, exectest.FormatRow(query.Types(), row))
		return nil
	})
	slices.Sort(got)
	if err != nil || strings.Join(got, " ") != "(77, 77) (78, 78) (79, 79)" {
		t.Errorf("%v, error %v", got, err)
	}
}

// Views share operators; a state is an orphan when the last of them goes.
func TestSharing(t *testing.T) {
	run, scan := lookupRun(t)
	col := func(i int) scalar.Expr { return &scalar.Column{Index: i, Typ: tInt, Name: fmt.Sprint("c", i)} }
	group := &rel.GroupBy{Input: scan, Keys: []scalar.Expr{col(0)}, Names: []string{"a", "n"}, Aggs: []scalar.Agg{{Fn: scalar.AggByID("count(*)"), Typ: types.T(types.Int8)}}}
	one, _, err := build(group)
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := build(&rel.Project{Input: group, Exprs: []scalar.Expr{col(0)}, Names: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []*physical.Sink{one, two} {
		if err := run.Circuit.AddView(uint32(50+i), v); err != nil {
			t.Fatal(err)
		}
	}
	shared := circuit.States(one)
	if len(shared) != 1 || !slices.Equal(shared, circuit.States(two)) {
		t.Fatalf("states %x and %x", shared, circuit.States(two))
	}
	if got := run.Circuit.DropView(50); !slices.Equal(got, []physical.Fingerprint{physical.RelationFingerprint(50)}) {
		t.Errorf("orphans of the first: %x", got)
	}
	if got := run.Circuit.DropView(51); len(got) != 2 || !slices.Contains(got, shared[0]) {
		t.Errorf("orphans of the second: %x", got)
	}
	if run.Circuit.Has(shared[0]) {
		t.Error("the operator is still there")
	}
	err = run.Circuit.AddView(60, &physical.Sink{Input: &physical.Source{Relation: 9, Name: "gone"}})
	if err == nil {
		t.Error("a view of an unknown relation was added")
	}
}
