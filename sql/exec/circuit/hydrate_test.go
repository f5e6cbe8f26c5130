package circuit_test

import (
	"context"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/exec/internal/exectest"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// A moving opener shows the snapshot it was last moved to.
type moving struct{ now *exectest.Store }

func (m *moving) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	return m.now.Open(fp, part)
}

// A view is hydrated over operators of another while ticks go on, catches up
// in rounds, joins the circuit, and must then be what it would have been from the start.
func TestHydrateWhileTicking(t *testing.T) {
	rng := newRand(t)
	const second = 2000
	n := 0
	for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); n++ {
		g := &generator{rng, tables()}
		view, _, err := build(g.plan(1 + g.IntN(4)))
		if err != nil {
			t.Fatal(err)
		}
		fail := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("plan %d: %v\n%s", n, err, physical.Format(&physical.Plan{Root: view}, nil))
			}
		}
		var below physical.Node = view.Input
		for g.IntN(3) > 0 && len(below.Inputs()) > 0 {
			below = below.Inputs()[g.IntN(len(below.Inputs()))]
		}
		first := &physical.Sink{Info: physical.Info{Out: below.Types()}, Input: below}
		run, err := exectest.NewRun(g.tables, first, below)
		fail(err)
		events := g.history(20 + g.IntN(60))
		var recorded map[physical.Fingerprint]*op.Delta
		var boundary []physical.Fingerprint
		tick := func() {
			k := min(len(events), g.IntN(8))
			_, err := run.Tick(events[:k])
			fail(err)
			events = events[k:]
			for _, fp := range boundary {
				d := recorded[fp]
				if d == nil {
					d = new(op.Delta)
					recorded[fp] = d
				}
				d.Rows.AppendBatch(&run.Circuit.NodeDelta(fp).Rows, 1)
				d.Errs.AppendBatch(&run.Circuit.NodeDelta(fp).Errs, 1)
			}
		}
		tick()
		tick()
		shared, own := &moving{}, exectest.NewStore()
		shared.now, err = run.Store.Snapshot()
		fail(err)
		h, err := circuit.NewHydrator(second, view, run.Circuit.Has, own, shared)
		fail(err)
		boundary = h.Boundary()
		recorded = map[physical.Fingerprint]*op.Delta{}
		fail(h.Run(context.Background(), 1+g.IntN(6), own.Commit))
		for range g.IntN(4) {
			tick()
			tick()
			next, err := run.Store.Snapshot()
			fail(err)
			fail(h.CatchUp(recorded))
			fail(own.Commit())
			shared.now = next
			clear(recorded)
		}
		run.Store.Take(own)
		fail(run.Circuit.AddView(second, view))
		for {
			same(t, run, view, second, fail)
			if len(events) == 0 {
				break
			}
			tick()
		}
		orphans := run.Circuit.DropView(second)
		for _, fp := range orphans {
			if run.Circuit.Has(fp) {
				t.Fatalf("plan %d: state %x is an orphan and in use", n, fp)
			}
		}
		_, err = run.Tick(nil)
		fail(err)
		fail(run.Check(rng))
	}
	t.Logf("%d plans", n)
}

// same compares a view's state with its evaluation.
func same(t *testing.T, run *exectest.Run, view *physical.Sink, rel uint32, fail func(error)) {
	t.Helper()
	have, err := run.Store.Contents(rel, view.Key != nil)
	fail(err)
	want, err := run.Store.Evaluate(view)
	if (err != nil) != (have.Errs.Len() > 0) {
		t.Errorf("evaluation gives error %v, the view has %d", err, have.Errs.Len())
	}
	if err == nil && !want.Equal(&have.Rows) {
		t.Errorf("view:\n%swant:\n%s", exectest.FormatBatch(view.Types(), &have.Rows), exectest.FormatBatch(view.Types(), want))
	}
	if t.Failed() {
		t.Fatalf("%s", physical.Format(&physical.Plan{Root: view}, nil))
	}
}
