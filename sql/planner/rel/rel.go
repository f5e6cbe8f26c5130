// Package rel is relational algebra over typed scalars: what a query means,
// before and after rewriting. Columns are positions in the input's rows, so
// that equal plans are equal trees. Nodes are immutable and shared freely.
package rel

import (
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Node is a relation. All are bags.
type Node interface {
	// Schema gives the output columns with their names.
	Schema() types.Schema
	// Inputs gives the nodes it reads.
	Inputs() []Node
}

// A Scan reads a stored relation: a table, a source's table, a materialized
// view, or a system relation.
type Scan struct {
	ID     uint32 // catalog.ID
	Name   string // as shown by EXPLAIN
	Cols   types.Schema
	Key    []int // a unique key of the relation, nil if none is known
	System bool  // computed on the fly: only in one-shot queries
}

// A Values is a list of rows of constant expressions.
type Values struct {
	Rows [][]scalar.Expr
	Cols types.Schema
}

// A Filter keeps the rows for which all predicates are true.
type Filter struct {
	Input Node
	Preds []scalar.Expr
}

// A Project computes its columns from each row.
type Project struct {
	Input Node
	Exprs []scalar.Expr
	Names []string
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The joins. Semi and anti joins put out left rows only.
const (
	Inner JoinKind = iota
	Left
	Right
	Full
	Semi
	Anti
)

// A Join joins on all predicates of On, over the left columns followed by the
// right columns. No predicates: a cross product.
type Join struct {
	Kind JoinKind
	L, R Node
	On   []scalar.Expr
}

// A GroupBy groups on Keys (no keys: one row, also for no input) and puts out
// the keys and then the aggregates.
type GroupBy struct {
	Input Node
	Keys  []scalar.Expr
	Aggs  []scalar.Agg
	Names []string
}

// A Distinct drops duplicate rows (by SQL equality).
type Distinct struct{ Input Node }

// A Union is UNION ALL; the inputs have equal types.
type Union struct{ All []Node }

// A SortKey is one item of an ordering.
type SortKey struct {
	Expr       scalar.Expr
	Desc       bool
	NullsFirst bool
}

// A TopK orders its input and keeps Limit rows after Offset. Limit or Offset
// nil: no bound. The order of the result counts only at the top of a one-shot query.
type TopK struct {
	Input         Node
	Keys          []SortKey
	Limit, Offset scalar.Expr // bigint, constant or parameter
}

func (n *Scan) Schema() types.Schema   { return n.Cols }
func (n *Values) Schema() types.Schema { return n.Cols }
func (n *Filter) Schema() types.Schema { return n.Input.Schema() }
func (n *Project) Schema() types.Schema {
	s := make(types.Schema, len(n.Exprs))
	for i, e := range n.Exprs {
		s[i] = types.Column{Name: n.Names[i], Type: e.Type()}
	}
	return s
}
func (n *Join) Schema() types.Schema {
	l := n.L.Schema()
	if n.Kind == Semi || n.Kind == Anti {
		return l
	}
	return append(l[:len(l):len(l)], n.R.Schema()...)
}
func (n *GroupBy) Schema() types.Schema {
	s := make(types.Schema, 0, len(n.Names))
	for _, k := range n.Keys {
		s = append(s, types.Column{Name: n.Names[len(s)], Type: k.Type()})
	}
	for _, a := range n.Aggs {
		s = append(s, types.Column{Name: n.Names[len(s)], Type: a.Typ})
	}
	return s
}
func (n *Distinct) Schema() types.Schema { return n.Input.Schema() }
func (n *Union) Schema() types.Schema    { return n.All[0].Schema() }
func (n *TopK) Schema() types.Schema     { return n.Input.Schema() }

func (n *Scan) Inputs() []Node     { return nil }
func (n *Values) Inputs() []Node   { return nil }
func (n *Filter) Inputs() []Node   { return []Node{n.Input} }
func (n *Project) Inputs() []Node  { return []Node{n.Input} }
func (n *Join) Inputs() []Node     { return []Node{n.L, n.R} }
func (n *GroupBy) Inputs() []Node  { return []Node{n.Input} }
func (n *Distinct) Inputs() []Node { return []Node{n.Input} }
func (n *Union) Inputs() []Node    { return n.All }
func (n *TopK) Inputs() []Node     { return []Node{n.Input} }
