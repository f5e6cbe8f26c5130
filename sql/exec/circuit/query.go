package circuit

import (
	"context"

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
}

// queryChunk is how many rows go into a state at a time.
const queryChunk = 8192

// Query runs a plan once over the relations that snap shows. emit gets rows,
// borrowed, with their weights, a row possibly several times; no weight is negative. An error among the
// data, of a relation that is read or of an expression, is the query's error.
func Query(ctx context.Context, root physical.Node, snap Opener, opt QueryOptions, emit func(row types.Row, w int64) error) error {
	if s, ok := root.(*physical.Sink); ok {
		root = s.Input
	}
	own := &memories{budget: op.Budget{Limit: opt.MemoryBudget}, open: map[memoryName]*op.Memory{}}
	g := graph{own: own, snap: snap, once: true, context: opt.Context, nodes: map[physical.Fingerprint]*vertex{}}
	g.source = func(s *physical.Source) op.ScanFunc {
		switch {
		case s.System:
			return systemScan(s.Relation, opt.System)
		case s.Lookup != nil:
			return g.relation(s, lookupRange(s, opt.Context))
		}
		return g.relation(s, nil)
	}
	v, err := g.build(root)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	for _, v := range g.order {
		if stateful(v.plan) {
			if err := g.fill(ctx, v, queryChunk, own.commit); err != nil {
				return err
			}
		}
	}
	return v.scan(ctx, emit, func(row types.Row, _ int64) error { return op.ErrorOf(row) })
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

func systemScan(rel uint32, rows func(uint32, func(types.Row) error) error) op.ScanFunc {
	return func(_ context.Context, emit, _ op.Emit) error {
		if emit == nil {
			return nil
		}
		return rows(rel, func(row types.Row) error { return emit(row, 1) })
	}
}

// lookupRange evaluates a Lookup to the range of keys it allows.
func lookupRange(s *physical.Source, c *eval.Context) rangeFunc {
	return func() (low, high []byte, none bool, err error) {
		k, l := 0, s.Lookup
		f := eval.NewFrame(c)
		value := func(dst []byte, e scalar.Expr) []byte {
			if err != nil || none {
				return dst
			}
			var p *eval.Program
			if p, err = eval.Compile(e, nil); err != nil {
				return dst
			}
			f.SetRow(nil)
			var d types.Datum
			if d, err = p.Eval(f); err != nil || d.Null {
				none = true
				return dst
			}
			return types.AppendKeyDatum(dst, s.Out[s.Key[k]].OID, d)
		}
		if len(l.Eq) > len(s.Key) || len(l.Eq) == len(s.Key) && (l.Low != nil || l.High != nil) {
			return nil, nil, false, pgerr.Newf(pgerr.InternalError, "lookup in relation %q beyond its key", s.Name)
		}
		for _, e := range l.Eq {
			low = value(low, e)
			k++
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
