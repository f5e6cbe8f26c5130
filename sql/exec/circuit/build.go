// Package circuit wires operators up: physical plans become circuits that run
// one Step per tick, views are hydrated from a snapshot, and queries run once.
package circuit

import (
	"fmt"
	"slices"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
)

// An Opener gives the arrangements of states. A stored relation's state has
// the parts "rows" and "errs" at physical.RelationFingerprint; what else there is, operators know.
type Opener interface {
	Open(fp physical.Fingerprint, part string) (op.Arrangement, error)
}

// stateful reports whether a node keeps state under its own fingerprint.
func stateful(n physical.Node) bool {
	switch n.(type) {
	case *physical.Constant, *physical.Arrange, *physical.Reduce, *physical.Distinct:
		return true
	}
	return false
}

// nameOf is the name of a node's deltas: its fingerprint, or a stored
// relation's for a Source.
func nameOf(n physical.Node) physical.Fingerprint {
	if s, ok := n.(*physical.Source); ok {
		return physical.RelationFingerprint(s.Relation)
	}
	return n.Fingerprint()
}

// newOperator makes the operator of a node that is not a Source. stateOf gives
// the opener of a node's state; a Sink's state is that of the relation it is for.
func newOperator(n physical.Node, sink uint32, stateOf func(physical.Node) Opener, c *eval.Context) (op.Operator, error) {
	fp := n.Fingerprint()
	if _, ok := n.(*physical.Sink); ok {
		fp = physical.RelationFingerprint(sink)
	}
	open := func(part string) (op.Arrangement, error) { return stateOf(n).Open(fp, part) }
	switch n := n.(type) {
	case *physical.Constant:
		return op.NewConstant(n.Rows, open)
	case *physical.Map:
		return op.NewMap(n.Input.Types(), n.Preds, n.Exprs, c)
	case *physical.Arrange:
		if n.Of != nil {
			return op.NewKeyIndex(n.Input.Types(), n.Key, n.Of.Tell, open)
		}
		return op.NewArrange(n.Input.Types(), n.Key, n.Unique != nil, open)
	case *physical.Join:
		l, err := newSide(n.L, n.LKey, stateOf)
		if err != nil {
			return nil, err
		}
		r, err := newSide(n.R, n.RKey, stateOf)
		if err != nil {
			return nil, err
		}
		return op.NewJoin(n.Kind, l, r, n.Residual, c)
	case *physical.Reduce:
		return op.NewReduce(n.Input.Types(), n.Keys, n.Aggs, n.Tell, open)
	case *physical.Distinct:
		return op.NewDistinct(n.Types(), open)
	case *physical.Union:
		return op.Union{}, nil
	case *physical.Sink:
		return op.NewSink(n.Types(), n.Key, open)
	}
	panic(fmt.Sprintf("circuit: node %T has no operator", n))
}

// newSide gives a join its view of an input.
func newSide(n physical.Node, key []int, stateOf func(physical.Node) Opener) (op.Side, error) {
	fp, by, keyed := nameOf(n), []int(nil), false
	switch n := n.(type) {
	case *physical.Arrange:
		by = n.Key
	case *physical.Source:
		by, keyed = n.Key, n.Key != nil
	default:
		return op.Side{}, pgerr.Newf(pgerr.InternalError, "join of %T, which is not arranged", n)
	}
	if len(by) < len(key) || !slices.Equal(by[:len(key)], key) || !keyed && len(by) != len(key) {
		return op.Side{}, pgerr.Newf(pgerr.InternalError, "join by columns %v of an input arranged by %v", key, by)
	}
	rows, err := stateOf(n).Open(fp, "rows")
	if a, ok := n.(*physical.Arrange); ok && a.Of != nil && err == nil {
		return newIndexed(a, rows, stateOf)
	}
	return op.Side{Types: n.Types(), Key: key, Rows: rows, Keyed: keyed, Whole: len(by) == len(key)}, err
}

// newIndexed gives a join its view of an index: the rows come from the relation.
func newIndexed(a *physical.Arrange, index op.Arrangement, stateOf func(physical.Node) Opener) (op.Side, error) {
	of := a.Of.Source
	rows, err := stateOf(of).Open(nameOf(of), "rows")
	return op.Side{Types: a.Types(), Key: a.Key, Rows: &op.Indexed{Arrangement: index, Types: a.Types(), Key: a.Key, Rows: rows, Cols: a.Of.Cols, Name: of.Name}, Keyed: true}, err
}

// maxDelta bounds the rows of one operator's delta of one tick, well within
// what offsets of 32 bits and keys beside the rows allow.
const maxDelta = 1 << 30

// run runs an operator for one tick.
func run(o op.Operator, in []*op.Delta, out *op.Delta) error {
	if err := o.Eval(in, out); err != nil {
		return err
	}
	return checkDelta(out)
}

func checkDelta(d *op.Delta) error {
	if n := d.Rows.Bytes() + d.Errs.Bytes(); n > maxDelta {
		return pgerr.Newf(pgerr.ProgramLimitExceeded, "a change of %d bytes at one operator in one tick exceeds the limit of %d", n, maxDelta)
	}
	return nil
}

// streams reports whether a join can read its left input as a stream, when it
// is only scanned.
func streams(k rel.JoinKind) bool { return k != rel.Right && k != rel.Full }

// States gives the states of operators that a plan needs, without those of the
// relations that it reads and of the view itself.
func States(root physical.Node) []physical.Fingerprint {
	var fps []physical.Fingerprint
	seen := map[physical.Fingerprint]bool{}
	var visit func(physical.Node)
	visit = func(n physical.Node) {
		for _, in := range n.Inputs() {
			visit(in)
		}
		if fp := n.Fingerprint(); stateful(n) && !seen[fp] {
			seen[fp] = true
			fps = append(fps, fp)
		}
	}
	visit(root)
	return fps
}
