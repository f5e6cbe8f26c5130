// Package scalar is the typed, resolved form of scalar expressions: names are
// column positions, overloads are chosen, every implicit cast is explicit. It
// also holds the catalog of functions, operators, casts and aggregates.
package scalar

import "github.com/helios-sql/helios-sql/sql/types"

// An Expr is a typed expression over one input row. Expressions are immutable
// and shared freely.
type Expr interface{ Type() types.Type }

// A Column is a column of the input row, by position from 0. A join's
// condition sees the left row's columns, then the right's.
type Column struct {
	Index int
	Typ   types.Type
	Name  string // for printing only; not part of its identity
}

// A Const is a literal or folded value. It owns Value.B.
type Const struct {
	Typ   types.Type
	Value types.Datum
}

// A Param is $N of a prepared statement, from 1; replaced by a Const before
// anything runs.
type Param struct {
	N   int
	Typ types.Type
}

// A Call applies a function, operator or cast of the catalog.
type Call struct {
	Fn   *Func
	Args []Expr
	Typ  types.Type
	// Pos is where it stands in the user's text, for errors of binding.
	Pos int
}

// A Logic is AND (Or false) or OR over at least two arguments, three-valued.
type Logic struct {
	Or   bool
	Args []Expr
}

// A Not is NOT x.
type Not struct{ X Expr }

// An IsNull is x IS NULL or, with Neg, x IS NOT NULL. (A row value's test
// does not arrive here.)
type IsNull struct {
	X   Expr
	Neg bool
}

// An IsBool is x IS [NOT] TRUE (Want true) or FALSE; never NULL.
type IsBool struct {
	X         Expr
	Want, Neg bool
}

// A Distinct is l IS [NOT] DISTINCT FROM r; Eq is the equality of its type.
type Distinct struct {
	L, R Expr
	Eq   *Func
	Neg  bool
}

// A Case is CASE WHEN…; arms are tried in order, only the chosen result is
// evaluated. Else may be nil (NULL). CASE x WHEN, NULLIF arrive as this.
type Case struct {
	Whens []When
	Else  Expr
	Typ   types.Type
}

// A When is one arm of a Case.
type When struct{ Cond, Result Expr }

// A Coalesce is the first argument that is not NULL; later ones are not evaluated.
type Coalesce struct {
	Args []Expr
	Typ  types.Type
}

// A MinMax is GREATEST or LEAST, which skip NULLs.
type MinMax struct {
	Greatest bool
	Args     []Expr
	Typ      types.Type
}

// An InList is x [NOT] IN (constants of x's type); HasNull: NULL was among them.
type InList struct {
	X       Expr
	List    []types.Datum
	HasNull bool
	Neg     bool
}

// Type gives the type of an expression's value.
func (e *Column) Type() types.Type   { return e.Typ }
func (e *Const) Type() types.Type    { return e.Typ }
func (e *Param) Type() types.Type    { return e.Typ }
func (e *Call) Type() types.Type     { return e.Typ }
func (e *Logic) Type() types.Type    { return types.T(types.Bool) }
func (e *Not) Type() types.Type      { return types.T(types.Bool) }
func (e *IsNull) Type() types.Type   { return types.T(types.Bool) }
func (e *IsBool) Type() types.Type   { return types.T(types.Bool) }
func (e *Distinct) Type() types.Type { return types.T(types.Bool) }
func (e *Case) Type() types.Type     { return e.Typ }
func (e *Coalesce) Type() types.Type { return e.Typ }
func (e *MinMax) Type() types.Type   { return e.Typ }
func (e *InList) Type() types.Type   { return types.T(types.Bool) }

// An Agg is one aggregate of a GROUP BY.
type Agg struct {
	Fn       *AggFunc
	Args     []Expr // none for count(*)
	Distinct bool
	Filter   Expr // nil: none
	Typ      types.Type
}
