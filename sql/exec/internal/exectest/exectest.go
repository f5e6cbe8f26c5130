// Package exectest runs plans tick by tick over states in memory and checks
// them against batch evaluation, for the tests of operators and circuits.
package exectest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A Store is a set of states in memory.
type Store struct{ parts map[part]*op.Memory }

type part struct {
	fp   physical.Fingerprint
	name string
}

// NewStore gives an empty store.
func NewStore() *Store { return &Store{parts: map[part]*op.Memory{}} }

// Open gives the arrangement of a state's part.
func (s *Store) Open(fp physical.Fingerprint, name string) (op.Arrangement, error) {
	m := s.parts[part{fp, name}]
	if m == nil {
		m = op.NewMemory(nil)
		s.parts[part{fp, name}] = m
	}
	return m, nil
}

// Commit makes the tick's writes readable.
func (s *Store) Commit() error {
	for _, m := range s.parts {
		if err := m.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Entries counts the entries of all states.
func (s *Store) Entries() (n int) {
	for _, m := range s.parts {
		n += m.Len()
	}
	return n
}

// Snapshot copies what is committed.
func (s *Store) Snapshot() (*Store, error) {
	out := NewStore()
	for p, m := range s.parts {
		c, err := m.Cursor()
		if err != nil {
			return nil, err
		}
		to := op.NewMemory(nil)
		for ok := c.Range(nil, nil); ok; ok = c.Next() {
			if err := to.Set(c.Key(), c.Value()); err != nil {
				return nil, err
			}
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
		out.parts[p] = to
	}
	return out, out.Commit()
}

// Contents gives the canonical contents of a stored relation.
func (s *Store) Contents(rel uint32, keyed bool) (*op.Delta, error) {
	fp := physical.RelationFingerprint(rel)
	rows, _ := s.Open(fp, "rows")
	errs, _ := s.Open(fp, "errs")
	d := new(op.Delta)
	err := op.ScanRelation(context.Background(), rows, keyed, nil, nil, into(&d.Rows), errs, into(&d.Errs))
	d.Rows.Canonical()
	d.Errs.Canonical()
	return d, err
}

// Evaluate runs a plan as a query over the store.
func (s *Store) Evaluate(n physical.Node) (*zset.Batch, error) {
	got := new(zset.Batch)
	err := circuit.Run(context.Background(), n, s, circuit.QueryOptions{}, into(got))
	got.Canonical()
	return got, err
}

// Take moves the states that the store does not have from o.
func (s *Store) Take(o *Store) {
	for p, m := range o.parts {
		if s.parts[p] == nil || s.parts[p].Len() == 0 {
			s.parts[p] = m
		}
	}
}

// A Table is a stored table of a test.
type Table struct {
	Rel  uint32
	Name string
	Cols types.Schema
	Key  []int
}

// An Event is one change of a table.
type Event struct {
	Rel  uint32
	Op   zset.Op
	Kind zset.OldKind
	Old  types.Row
	New  types.Row
}

// A Run is a circuit of tables and one view under test, with the integral of
// the view's deltas.
type Run struct {
	Store   *Store
	Circuit *circuit.Circuit
	Rows    zset.Batch
	Errs    zset.Batch
	tables  []Table
	view    *physical.Sink
	query   physical.Node
	changes map[uint32]*zset.Changes
}

// ViewID is the relation of the view under test.
const ViewID = 1000

// NewRun builds the circuit; query is the view's plan for one-shot use.
func NewRun(tables []Table, view *physical.Sink, query physical.Node) (*Run, error) {
	r := &Run{Store: NewStore(), tables: tables, view: view, query: query, changes: map[uint32]*zset.Changes{}}
	r.Circuit = circuit.New(r.Store)
	for _, t := range tables {
		if err := r.Circuit.AddTable(t.Rel, t.Name, t.Cols.Types(), t.Key); err != nil {
			return nil, err
		}
	}
	return r, r.Circuit.AddView(ViewID, view)
}

// Tick runs one tick and integrates the view's delta.
func (r *Run) Tick(events []Event) (*op.Delta, error) {
	changes := map[uint32]*zset.Changes{}
	for _, e := range events {
		if r.changes[e.Rel] == nil {
			r.changes[e.Rel] = new(zset.Changes)
		}
		changes[e.Rel] = r.changes[e.Rel]
		changes[e.Rel].Append(e.Op, e.Kind, e.Old, e.New)
	}
	defer func() {
		for _, c := range changes {
			c.Reset()
		}
	}()
	if err := r.Circuit.Step(changes); err != nil {
		return nil, err
	}
	if err := r.Store.Commit(); err != nil {
		return nil, err
	}
	d := r.Circuit.Delta(ViewID)
	for _, b := range []*zset.Batch{&d.Rows, &d.Errs} {
		c := new(zset.Batch)
		c.AppendBatch(b, 1)
		if c.Canonical(); c.Len() != b.Len() {
			return nil, fmt.Errorf("the view's delta is not consolidated")
		}
	}
	r.Rows.AppendBatch(&d.Rows, 1)
	r.Rows.Canonical()
	r.Errs.AppendBatch(&d.Errs, 1)
	r.Errs.Canonical()
	return d, nil
}

// Check compares the integral with the view's state, with a batch evaluation
// of the inputs, and with a hydration for which some operators are there already.
func (r *Run) Check(rng *rand.Rand) error {
	for _, b := range []*zset.Batch{&r.Rows, &r.Errs} {
		for i := range b.Len() {
			if b.Weight(i) < 0 {
				return fmt.Errorf("the integral has %d of row %x", b.Weight(i), b.Row(i))
			}
		}
	}
	if err := r.compareState("the view's state", r.Store); err != nil {
		return err
	}
	if err := r.checkQuery(); err != nil {
		return err
	}
	all := r.Circuit.Has
	some := r.below(rng)
	for i, existing := range []func(physical.Fingerprint) bool{all, none, some} {
		what := []string{"a scan of all operators", "a hydration from scratch", "a hydration over some operators"}[i]
		s, err := r.hydrate(existing, rng)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := r.compareState(what, s); err != nil {
			return err
		}
	}
	return nil
}

func none(physical.Fingerprint) bool { return false }

// below gives the operators below a random one.
func (r *Run) below(rng *rand.Rand) func(physical.Fingerprint) bool {
	var nodes []physical.Node
	var visit func(n physical.Node)
	visit = func(n physical.Node) {
		nodes = append(nodes, n)
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	visit(r.view.Input)
	top := nodes[rng.IntN(len(nodes))]
	nodes = nil
	visit(top)
	return func(fp physical.Fingerprint) bool {
		for _, n := range nodes {
			if n.Fingerprint() == fp {
				return true
			}
		}
		return false
	}
}

func (r *Run) hydrate(existing func(physical.Fingerprint) bool, rng *rand.Rand) (*Store, error) {
	own := NewStore()
	h, err := circuit.NewHydrator(ViewID, r.view, existing, own, r.Store)
	if err != nil {
		return nil, err
	}
	return own, h.Run(context.Background(), 1+rng.IntN(5), own.Commit)
}

func (r *Run) compareState(what string, s *Store) error {
	d, err := s.Contents(ViewID, r.view.Key != nil)
	if err != nil {
		return err
	}
	if err := r.compare(what, &r.Rows, &d.Rows); err != nil {
		return err
	}
	return r.compare(what+" (errors)", &r.Errs, &d.Errs)
}

func into(b *zset.Batch) op.Emit {
	return func(row types.Row, w int64) error {
		b.Append(row, w)
		return nil
	}
}

func (r *Run) compare(what string, want, got *zset.Batch) error {
	got.Canonical()
	if want.Equal(got) {
		return nil
	}
	ts := r.view.Types()
	if want == &r.Errs {
		ts = ErrTypes
	}
	return fmt.Errorf("%s differs from the integral of deltas\ngot:\n%swant:\n%s", what, FormatBatch(ts, got), FormatBatch(ts, want))
}

func (r *Run) checkQuery() error {
	got, err := r.Store.Evaluate(r.view)
	switch {
	case r.Errs.Len() == 0 && err != nil:
		return fmt.Errorf("batch evaluation: %w", err)
	case r.Errs.Len() > 0 && err == nil:
		return fmt.Errorf("batch evaluation reports no error of\n%s", FormatBatch(ErrTypes, &r.Errs))
	case err != nil:
		return r.among(err)
	}
	if err := r.compare("batch evaluation", &r.Rows, got); err != nil {
		return err
	}
	// The one-shot plan filters elsewhere and may meet errors that the view's does not.
	if got, err = r.Store.Evaluate(r.query); err != nil {
		return nil
	}
	return r.compare("the one-shot plan", &r.Rows, got)
}

// among reports an error that is not one of the view's.
func (r *Run) among(err error) error {
	for i := range r.Errs.Len() {
		if e := op.ErrorOf(r.Errs.Row(i)); e.Code == pgerr.CodeOf(err) && e.Message == err.Error() {
			return nil
		}
	}
	return fmt.Errorf("batch evaluation reports %w, which is not among\n%s", err, FormatBatch(ErrTypes, &r.Errs))
}

// CheckCuts runs the history in other random sequences of ticks, which must
// come to the same integral.
func (r *Run) CheckCuts(history []Event, times int, rng *rand.Rand) error {
	for range times {
		o, err := NewRun(r.tables, r.view, r.query)
		if err != nil {
			return err
		}
		for i := 0; ; {
			j := min(len(history), i+rng.IntN(1+len(history)))
			if _, err := o.Tick(history[i:j]); err != nil {
				return err
			}
			if i = j; i == len(history) {
				break
			}
		}
		if !bytes.Equal(canonicalBytes(&o.Rows), canonicalBytes(&r.Rows)) || !bytes.Equal(canonicalBytes(&o.Errs), canonicalBytes(&r.Errs)) {
			return r.compare("the same history in other ticks", &r.Rows, &o.Rows)
		}
	}
	return nil
}

func canonicalBytes(b *zset.Batch) (out []byte) {
	for i := range b.Len() {
		out = fmt.Appendf(out, "%d %x\n", b.Weight(i), b.Row(i))
	}
	return out
}
