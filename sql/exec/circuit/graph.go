package circuit

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A graph is a plan whose operators can be scanned, and its new states filled:
// what hydration and queries share.
type graph struct {
	sink    uint32
	old     func(physical.Fingerprint) bool // operators whose state is there; nil: none
	own     Opener                          // of new states
	snap    Opener                          // of old states and of relations
	once    bool                            // filled and scanned once: joins read their left inputs as streams, nothing is retracted
	context *eval.Context
	source  func(*physical.Source) op.ScanFunc
	nodes   map[physical.Fingerprint]*vertex
	order   []*vertex // inputs first
}

type vertex struct {
	plan physical.Node
	name physical.Fingerprint
	old  bool
	op   op.Operator // nil: a Source
	in   []*vertex
	scan op.ScanFunc
	ins  []*op.Delta
	out  op.Delta
}

func (g *graph) isOld(n physical.Node) bool {
	switch n.(type) {
	case *physical.Source:
		return true
	case *physical.Sink:
		return false
	}
	return g.old != nil && g.old(n.Fingerprint())
}

func (g *graph) stateOf(n physical.Node) Opener {
	if g.isOld(n) {
		return g.snap
	}
	return g.own
}

func (g *graph) build(n physical.Node) (*vertex, error) {
	if v := g.nodes[n.Fingerprint()]; v != nil {
		return v, nil
	}
	v := &vertex{plan: n, name: nameOf(n), old: g.isOld(n)}
	inputs := n.Inputs()
	j, isJoin := n.(*physical.Join)
	stream := isJoin && g.once && streams(j.Kind)
	if stream {
		if a, ok := j.L.(*physical.Arrange); ok {
			inputs = []physical.Node{a.Input, j.R}
		}
	}
	for _, input := range inputs {
		in, err := g.build(input)
		if err != nil {
			return nil, err
		}
		v.in, v.ins = append(v.in, in), append(v.ins, &in.out)
	}
	if s, ok := n.(*physical.Source); ok {
		v.scan = g.source(s)
	} else {
		o, err := newOperator(n, g.sink, g.stateOf, g.context)
		if err != nil {
			return nil, err
		}
		if stream {
			o.(*op.Join).Stream()
		}
		if r, ok := o.(*op.Reduce); ok && g.once {
			r.GrowOnly()
		}
		v.op = o
		scans := make([]op.ScanFunc, len(v.in))
		for i, in := range v.in {
			scans[i] = in.scan
		}
		v.scan = func(ctx context.Context, emit, emitErr op.Emit) error { return o.Scan(ctx, scans, emit, emitErr) }
	}
	g.nodes[n.Fingerprint()] = v
	g.order = append(g.order, v)
	return v, nil
}

// chunkBytes bounds the rows of a chunk beside their number.
const chunkBytes = 16 << 20

// fill feeds a new stateful operator its input, chunk by chunk; commit makes
// what it wrote readable.
func (g *graph) fill(ctx context.Context, v *vertex, chunkRows int, commit func() error) error {
	var in op.Delta
	flush := func() error {
		v.out.Reset()
		if err := v.op.Eval([]*op.Delta{&in}, &v.out); err != nil {
			return err
		}
		in.Reset()
		return commit()
	}
	add := func(b *zset.Batch) op.Emit {
		return func(row types.Row, w int64) error {
			b.Append(row, w)
			if b.Len() < chunkRows && b.Bytes() < chunkBytes {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return flush()
		}
	}
	if len(v.in) > 0 {
		if err := v.in[0].scan(ctx, add(&in.Rows), add(&in.Errs)); err != nil {
			return err
		}
	}
	err := flush() // also if nothing is left: a group without keys is there for no input, too
	v.out = op.Delta{}
	return err
}
