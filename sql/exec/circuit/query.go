package circuit

import (
	"context"
	"slices"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// QueryOptions are what a query needs beside its plan.
type QueryOptions struct {
	// System enumerates a system relation's rows, borrowed.
	System func(rel uint32, emit func(types.Row) error) error
	// MemoryBudget bounds the bytes of the query's state; 0: no bound.
	MemoryBudget int
	Context      *eval.Context
	// Args are the values of parameters in lookups; all others have been substituted.
	Args []types.Datum
}

// queryChunk is how many rows go into a state at a time.
const queryChunk = 8192

// A Query is a plan made ready to run.
type Query struct {
	g    graph
	root *vertex
	opt  QueryOptions // of the run
}

// Run runs a plan once over the relations that snap shows. emit gets rows,
// borrowed, with their weights, a row possibly several times; no weight is negative. An error among the
// data, of a relation that is read or of an expression, is the query's error.
func Run(ctx context.Context, root physical.Node, snap Opener, opt QueryOptions, emit func(row types.Row, w int64) error) error {
	own := &memories{budget: op.Budget{Limit: opt.MemoryBudget}, open: map[memoryName]*op.Memory{}}
	q, err := newQuery(root, own, snap, opt)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	for _, v := range q.g.order {
		if stateful(v.plan) {
			if err := q.g.fill(ctx, v, queryChunk, own.commit); err != nil {
				return err
			}
		}
	}
	return q.scan(ctx, emit)
}

// Prepare makes a plan ready to run any number of times, one after the other,
// whatever the values of its parameters; nil if it cannot: an operator that has state
// is made for one run, and the value of a parameter is part of what an expression compiles to.
func Prepare(root physical.Node) (*Query, error) {
	if !repeatable(root) {
		return nil, nil
	}
	return newQuery(root, nil, nil, QueryOptions{})
}

// repeatable reports whether nothing of one run is in a plan's operators.
func repeatable(n physical.Node) bool {
	switch n := n.(type) {
	case *physical.Source:
		return true
	case *physical.Map:
		return !slices.ContainsFunc(n.Preds, scalar.HasParam) && !slices.ContainsFunc(n.Exprs, scalar.HasParam) && repeatable(n.Input)
	}
	return false
}

// Run is Run of a prepared query.
func (q *Query) Run(ctx context.Context, snap Opener, opt QueryOptions, emit func(row types.Row, w int64) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.g.snap, q.opt = snap, opt
	for _, v := range q.g.order {
		if m, ok := v.op.(*op.Map); ok {
			m.SetContext(opt.Context)
		}
	}
	err := q.scan(ctx, emit)
	q.g.snap, q.opt = nil, QueryOptions{}
	return err
}

func newQuery(root physical.Node, own, snap Opener, opt QueryOptions) (q *Query, err error) {
	if s, ok := root.(*physical.Sink); ok {
		root = s.Input
	}
	q = &Query{opt: opt}
	q.g = graph{own: own, snap: snap, once: true, context: opt.Context, nodes: map[physical.Fingerprint]*vertex{}}
	q.g.source = func(s *physical.Source) op.ScanFunc {
		switch {
		case s.System:
			return q.system(s.Relation)
		case s.Lookup != nil:
			return q.g.relation(s, q.lookup(s))
		}
		return q.g.relation(s, nil)
	}
	q.root, err = q.g.build(root)
	return q, err
}

func (q *Query) scan(ctx context.Context, emit op.Emit) error {
	return q.root.scan(ctx, emit, func(row types.Row, _ int64) error { return op.ErrorOf(row) })
}

// memories is the state of a query.
type memories struct {
	budget op.Budget
	open   map[memoryName]*op.Memory
	all    []*op.Memory
}

type memoryName struct {
	fp   physical.Fingerprint
	part string
}

func (m *memories) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	name := memoryName{fp, part}
	a := m.open[name]
	if a == nil {
		a = op.NewMemory(&m.budget)
		m.open[name] = a
		m.all = append(m.all, a)
	}
	return a, nil
}

func (m *memories) commit() error {
	for _, a := range m.all {
		if err := a.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (q *Query) system(rel uint32) op.ScanFunc {
	return func(_ context.Context, emit, _ op.Emit) error {
		if emit == nil {
			return nil
		}
		return q.opt.System(rel, func(row types.Row) error { return emit(row, 1) })
	}
}

// lookup evaluates a Lookup to the range of keys it allows.
func (q *Query) lookup(s *physical.Source) rangeFunc {
	var buf []byte
	return func() (low, high []byte, none bool, err error) {
		k, l := 0, s.Lookup
		value := func(dst []byte, e scalar.Expr) []byte {
			var d types.Datum
			switch e := e.(type) {
			case *scalar.Const:
				d = e.Value
			case *scalar.Param:
				d = q.opt.Args[e.N-1]
			default:
				err = pgerr.Newf(pgerr.InternalError, "lookup in relation %q by %s", s.Name, scalar.String(e))
			}
			none = none || d.Null
			return types.AppendKeyDatum(dst, s.Out[s.Key[k]].OID, d)
		}
		if len(l.Eq) > len(s.Key) || len(l.Eq) == len(s.Key) && (l.Low != nil || l.High != nil) {
			return nil, nil, false, pgerr.Newf(pgerr.InternalError, "lookup in relation %q beyond its key", s.Name)
		}
		buf = buf[:0]
		for _, e := range l.Eq {
			buf = value(buf, e)
			k++
		}
		low = buf
		if k == len(s.Key) {
			return low, nil, none, err // the one key
		}
		high = types.PrefixEnd(low)
		prefix := low[:len(low):len(low)]
		if l.Low != nil {
			if low = value(prefix, l.Low); l.LowX {
				low = types.PrefixEnd(low)
			}
		}
		if l.High != nil {
			if high = value(prefix, l.High); !l.HighX {
				high = types.PrefixEnd(high)
			}
		}
		return low, high, none, err
	}
}
