package circuit

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// A Hydrator fills the state of a new view's new operators from a snapshot of
// what is there, and then catches up on what changed since.
type Hydrator struct {
	g     graph
	snaps []*snapArrangement
	snap  Opener
}

// NewHydrator plans the hydration of view rel. existing tells the operators
// that are in the circuit; their states and those of relations are read through snap, new ones
// are written through own. snap is asked anew for its arrangements before every CatchUp.
func NewHydrator(rel uint32, root *physical.Sink, existing func(physical.Fingerprint) bool, own, snap Opener) (*Hydrator, error) {
	h := &Hydrator{snap: snap}
	h.g = graph{sink: rel, old: existing, own: own, snap: h, nodes: map[physical.Fingerprint]*vertex{}}
	h.g.source = func(s *physical.Source) op.ScanFunc { return h.g.relation(s, nil) }
	_, err := h.g.build(root)
	if err == nil {
		err = h.g.check()
	}
	return h, err
}

// check refuses what only a one-shot plan may hold.
func (g *graph) check() error {
	for _, v := range g.order {
		if s, ok := v.plan.(*physical.Source); ok && (s.System || s.Lookup != nil) {
			return pgerr.Newf(pgerr.InternalError, "relation %q is read in a view as only a query may", s.Name)
		}
	}
	return nil
}

// Boundary names the operators and relations that new operators read: their
// deltas have to be recorded from the snapshot of Run on.
func (h *Hydrator) Boundary() []physical.Fingerprint {
	var fps []physical.Fingerprint
	seen := map[physical.Fingerprint]bool{}
	for _, v := range h.g.order {
		for _, in := range v.in {
			if !v.old && in.old && !seen[in.name] {
				seen[in.name] = true
				fps = append(fps, in.name)
			}
		}
	}
	return fps
}

// Run fills the new states, in chunks of at most chunkRows rows; commit is
// called after each, and must make what was written so far readable through own.
func (h *Hydrator) Run(ctx context.Context, chunkRows int, commit func() error) error {
	for _, v := range h.g.order {
		_, sink := v.plan.(*physical.Sink)
		if v.old || !sink && !stateful(v.plan) {
			continue
		}
		if err := h.g.fill(ctx, v, chunkRows, commit); err != nil {
			return err
		}
	}
	return nil
}

// CatchUp is one tick over the new operators: deltas are those of the
// boundary, since the tick that own's states stand at; snap must show that tick.
func (h *Hydrator) CatchUp(deltas map[physical.Fingerprint]*op.Delta) error {
	for _, s := range h.snaps {
		a, err := h.snap.Open(s.fp, s.part)
		if err != nil {
			return err
		}
		s.Arrangement = a
	}
	var none op.Delta
	for _, v := range h.g.order {
		if v.old {
			continue
		}
		v.out.Reset()
		dirty := false
		for i, in := range v.in {
			if in.old {
				v.ins[i] = &none
				if d := deltas[in.name]; d != nil {
					v.ins[i] = d
				}
			}
			dirty = dirty || !v.ins[i].Empty()
		}
		if !dirty {
			continue
		}
		if err := run(v.op, v.ins, &v.out); err != nil {
			return err
		}
	}
	return nil
}

// A snapArrangement is an arrangement of the current snapshot.
type snapArrangement struct {
	op.Arrangement
	fp   physical.Fingerprint
	part string
}

// Open opens a state of the snapshot and remembers it, to be opened again.
func (h *Hydrator) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	a, err := h.snap.Open(fp, part)
	if err != nil {
		return nil, err
	}
	s := &snapArrangement{a, fp, part}
	h.snaps = append(h.snaps, s)
	return s, nil
}

// A rangeFunc gives the bounds of a scan's keys; none says that nothing is in
// them.
type rangeFunc func() (low, high []byte, none bool, err error)

// relation scans a stored relation through snap; a nil bounds is everything.
func (g *graph) relation(s *physical.Source, bounds rangeFunc) op.ScanFunc {
	fp := physical.RelationFingerprint(s.Relation)
	return func(ctx context.Context, emit, emitErr op.Emit) error {
		var low, high []byte
		if bounds != nil {
			var none bool
			var err error
			if low, high, none, err = bounds(); err != nil {
				return err
			}
			if none {
				emit = nil
			}
		}
		rows, err := g.snap.Open(fp, "rows")
		if err != nil {
			return err
		}
		errs, err := g.snap.Open(fp, "errs")
		if err != nil {
			return err
		}
		if bounds != nil && len(s.Lookup.Eq) == len(s.Key) {
			return op.ReadKey(ctx, rows, low, emit, errs, emitErr)
		}
		return op.ScanRelation(ctx, rows, s.Key != nil, low, high, emit, errs, emitErr)
	}
}
