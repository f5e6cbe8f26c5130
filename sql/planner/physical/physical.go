// Package physical is what circuits are built from: a DAG of operators with
// their arrangements, in topological order.
package physical

import (
	"encoding/binary"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Fingerprint names an operator by what it computes: the same query over the
// same relations gives the same one, in every process and version, so it is
// also the durable name of the operator's state. State formats are part of it.
type Fingerprint [16]byte

// A Node is an operator to be.
type Node interface {
	Inputs() []Node
	// Types are the columns of its output.
	Types() []types.Type
	Fingerprint() Fingerprint
}

// Info is what every node carries.
type Info struct {
	Out []types.Type
	FP  Fingerprint
	// Names are the columns' names, for printing only: not part of the identity.
	Names []string
	// Unique are the columns of a known unique key of the output (weights are
	// then 0 or 1 after every tick); nil if none is known. An empty, non-nil key
	// says: at most one row.
	Unique []int
}

// Types gives the output's columns.
func (i *Info) Types() []types.Type { return i.Out }

// Fingerprint gives the operator's durable name.
func (i *Info) Fingerprint() Fingerprint { return i.FP }

// A Source is the deltas, and for scans the contents, of a stored relation:
// a base table or another view's output. Its arrangement, kept by the
// relation's owner, has Key: the unique key of the relation, or none (bag, keyed by the whole row).
type Source struct {
	Info
	Relation uint32 // catalog.ID
	Name     string
	Key      []int
	System   bool
	// Lookup narrows a one-shot scan to key ranges; nil: everything. Never set
	// in a view's plan.
	Lookup *Lookup
}

// A Lookup is a conjunction on a prefix of an arrangement's key: Eq are the
// values of its first columns; then, if there is a next column, an optional range
// on it. A one-shot plan keeps the range's predicates, not the equalities, as a filter as well.
type Lookup struct {
	Eq          []scalar.Expr // constants or parameters, of the key columns' types
	Low, High   scalar.Expr   // nil: open
	LowX, HighX bool          // exclusive
}

// A Constant is a list of rows, there from the first tick on.
type Constant struct {
	Info
	Rows []types.Row
}

// A Map is filter and projection in one pass: a row for which all Preds are
// true becomes Exprs of it (nil: the row itself). Linear, no state.
type Map struct {
	Info
	Input Node
	Preds []scalar.Expr
	Exprs []scalar.Expr
}

// An Arrange keeps an index of its input: by the Key columns, then the whole row.
// Its output is its input. If its input is a Source whose own key is or begins with
// this key, the planner leaves Arrange out and the join reads the Source's own arrangement.
type Arrange struct {
	Info
	Input Node
	Key   []int
	Of    *Stored // nil: it keeps the rows themselves
}

// A Stored says that an operator's rows lie in a stored relation already: they
// are columns Cols of rows of Source, and have its key in their columns Tell.
type Stored struct {
	Source     *Source
	Cols, Tell []int
}

// A Join joins two arranged inputs, each an *Arrange or a *Source, on equal keys of
// LKey and RKey (never NULL = NULL). Output: left row, right row; for Semi and Anti the left row.
// Residual is over the concatenated row and is part of the join's condition; for inner
// joins the planner puts it into a Map above instead. A cross product has empty keys.
type Join struct {
	Info
	Kind       rel.JoinKind
	L, R       Node
	LKey, RKey []int
	Residual   []scalar.Expr
}

// A Reduce groups by the Keys columns and aggregates columns: a Map below it
// computes what is not a plain column. Output: keys, then aggregates.
type Reduce struct {
	Info
	Input Node
	Keys  []int
	Aggs  []Agg
	// Tell are columns that form a unique key of the input, brought along so
	// that what min and max keep of it is written without being read; nil: none.
	Tell []int
}

// An Agg is one aggregate of a Reduce.
type Agg struct {
	Fn       *scalar.AggFunc
	Arg      int // input column; −1 for none
	Distinct bool
	Filter   int // boolean input column; −1 for none
	Typ      types.Type
}

// A Distinct keeps one of each row by SQL equality; the representative is the
// least of the equal rows by bytes.
type Distinct struct {
	Info
	Input Node
}

// A Union is the sum of its inputs.
type Union struct {
	Info
	All []Node
}

// A Sink materializes a view's output under Key: the unique key of the
// output, or nil: a bag, keyed by the whole row. Only at the root of a view.
type Sink struct {
	Info
	Input Node
	Key   []int
}

// Inputs gives the nodes it reads.
func (n *Source) Inputs() []Node   { return nil }
func (n *Constant) Inputs() []Node { return nil }
func (n *Map) Inputs() []Node      { return []Node{n.Input} }
func (n *Arrange) Inputs() []Node  { return []Node{n.Input} }
func (n *Join) Inputs() []Node     { return []Node{n.L, n.R} }
func (n *Reduce) Inputs() []Node   { return []Node{n.Input} }
func (n *Distinct) Inputs() []Node { return []Node{n.Input} }
func (n *Union) Inputs() []Node    { return n.All }
func (n *Sink) Inputs() []Node     { return []Node{n.Input} }

// An Order is how the rows of a one-shot query are sorted, cut and shown.
type Order struct {
	Keys          []OrderKey
	Limit, Offset scalar.Expr // nil: none
	// Visible is how many of the root's leading columns belong to the result: sort
	// expressions that are not selected follow them.
	Visible int
}

// An OrderKey sorts by a column of the root's output.
type OrderKey struct {
	Column           int
	Desc, NullsFirst bool
}

// A Plan is a physical plan. Root is a Sink for a view.
type Plan struct {
	Root  Node
	Order *Order // one-shot queries only; nil: no order and no limit
	Cols  types.Schema
}

// RelationFingerprint names the state of a stored relation: a base table's
// rows, a view's output. It is RelationFingerprint that Source and Sink open, part "rows".
func RelationFingerprint(id uint32) Fingerprint {
	fp := Fingerprint{'r', 'e', 'l'}
	binary.BigEndian.PutUint32(fp[12:], id)
	return fp
}
