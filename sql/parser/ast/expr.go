// Package ast is the tree of a statement as the user wrote it, with positions
// in the user's text. It follows PostgreSQL's own raw parse tree where that
// has a shape of its own (gram.y, parsenodes.h), so that the binder can follow
// PostgreSQL's parse analysis.
package ast

// A Pos is a position in the user's text: 1-based, in characters; 0 unknown.
type Pos int

// An Expr is a scalar expression.
type Expr interface{ Position() Pos }

// Position makes every node that embeds a Pos an Expr.
func (p Pos) Position() Pos { return p }

// A ColumnRef is a possibly qualified name; Star for t.* or *.
type ColumnRef struct {
	Pos
	Parts []string
	Star  bool
}

// ConstKind says how a literal was written.
type ConstKind uint8

// The kinds of literals.
const (
	NullConst ConstKind = iota
	BoolConst
	IntegerConst // digits that fit int4 or int8 or need numeric: the binder decides by value
	NumericConst // with point or exponent
	StringConst  // quoted: of type unknown
	BitConst     // B'…' and X'…', the text with its letter
)

// A Const is a literal. Text is its value without quotes.
type Const struct {
	Pos
	Kind ConstKind
	Text string // "true" or "false" for BoolConst
}

// A Param is $n.
type Param struct {
	Pos
	N int
}

// An Op is a binary or prefix (L nil) operator by its symbol: arithmetic,
// comparison, ||, ~, ->, … (<> is never spelled !=). Schema is from OPERATOR(schema.op).
type Op struct {
	Pos
	Schema string
	Name   string
	L, R   Expr
}

// LogicKind is AND, OR or NOT.
type LogicKind uint8

// The logical connectives.
const (
	And LogicKind = iota
	Or
	Not
)

// A Logic joins its arguments; chains of one kind are flat. NOT has one.
type Logic struct {
	Pos
	Kind LogicKind
	Args []Expr
}

// TestKind is what an IS test asks.
type TestKind uint8

// The IS tests.
const (
	IsNull TestKind = iota
	IsNotNull
	IsTrue
	IsNotTrue
	IsFalse
	IsNotFalse
	IsUnknown
	IsNotUnknown
)

// A Test is x IS [NOT] NULL, TRUE, FALSE or UNKNOWN.
type Test struct {
	Pos
	Kind TestKind
	Arg  Expr
}

// A Distinct is l IS [NOT] DISTINCT FROM r.
type Distinct struct {
	Pos
	Not  bool
	L, R Expr
}

// A Between is x [NOT] BETWEEN [SYMMETRIC] low AND high.
type Between struct {
	Pos
	Not, Symmetric bool
	X, Low, High   Expr
}

// LikeKind is the pattern language of a Like.
type LikeKind uint8

// The pattern matches written as keywords.
const (
	Like LikeKind = iota
	ILike
	SimilarTo
)

// A LikeExpr is x [NOT] LIKE | ILIKE | SIMILAR TO pattern [ESCAPE e].
type LikeExpr struct {
	Pos
	Kind       LikeKind
	Not        bool
	X, Pattern Expr
	Escape     Expr // nil: the default backslash
}

// An In is x [NOT] IN (list) or, with Query, x [NOT] IN (SELECT …).
type In struct {
	Pos
	Not   bool
	X     Expr
	List  []Expr
	Query *Select
}

// SubqueryKind says how a subquery is used as an expression.
type SubqueryKind uint8

// The subquery expressions (IN is In).
const (
	ScalarSubquery SubqueryKind = iota
	ExistsSubquery
	AnySubquery // x op ANY (SELECT …), also SOME
	AllSubquery
	ArraySubquery // ARRAY(SELECT …)
)

// A Subquery is a query used as an expression.
type Subquery struct {
	Pos
	Kind  SubqueryKind
	X     Expr   // of ANY and ALL
	Op    string // of ANY and ALL
	Query *Select
}

// An AnyArray is x op ANY | ALL (array expression).
type AnyArray struct {
	Pos
	All   bool
	Op    string
	X     Expr
	Array Expr
}

// A Case is CASE [arg] WHEN … THEN … [ELSE …] END.
type Case struct {
	Pos
	Arg   Expr
	Whens []When
	Else  Expr
}

// A When is one arm of a Case.
type When struct{ Cond, Result Expr }

// A Call is a function or aggregate call. What SQL spells with keywords
// arrives under the function's catalog name, as PostgreSQL's grammar does it:
// coalesce, greatest, least and nullif as such; EXTRACT as extract('field', x);
// SUBSTRING as substring, POSITION as position(haystack, needle), TRIM as btrim, ltrim,
// rtrim, OVERLAY as overlay, x AT TIME ZONE z as timezone(z, x), CURRENT_DATE and its kin as
// current_date() … with SQLValue set.
type Call struct {
	Pos
	Name     []string // possibly schema-qualified
	Args     []Expr
	ArgNames []string // of name => value arguments; nil when all are positional
	Star     bool     // count(*)
	Distinct bool
	Variadic bool
	OrderBy  []SortBy
	Within   []SortBy // WITHIN GROUP (ORDER BY …)
	Filter   Expr
	Over     *Window
	SQLValue bool
}

// A Cast is CAST(x AS t), x::t or t 'x'.
type Cast struct {
	Pos
	X    Expr
	Type TypeName
}

// A TypeName is a type as written.
type TypeName struct {
	Pos
	Name []string // possibly qualified; keywords by catalog name: int4, float8, bpchar, varchar, timestamptz, …
	Mods []Expr
	// Array is the number of [] suffixes. Interval fields as in interval day to second: Fields, lower case.
	Array  int
	Fields string
	SetOf  bool
}

// An Array is ARRAY[…].
type Array struct {
	Pos
	Elems []Expr
}

// A RowExpr is ROW(…) or (a, b, …).
type RowExpr struct {
	Pos
	Elems []Expr
}

// A Subscript is x[i] or, with Slice, x[low:high] (either may be nil).
type Subscript struct {
	Pos
	X         Expr
	Low, High Expr // Low is the index of a plain subscript
	Slice     bool
}

// A FieldSelect is (x).name or (x).*.
type FieldSelect struct {
	Pos
	X    Expr
	Name string
	Star bool
}

// A Collate is x COLLATE name.
type Collate struct {
	Pos
	X    Expr
	Name []string
}

// A Default is the keyword DEFAULT in VALUES or SET.
type Default struct{ Pos }

// A Window is an OVER clause or a named window's definition.
type Window struct {
	Pos
	Name        string // OVER name, or the window that is refined
	PartitionBy []Expr
	OrderBy     []SortBy
	Frame       *Frame // nil: the default
}

// A Frame is a window's frame.
type Frame struct {
	Mode       string // rows, range, groups
	Start, End Bound
	Exclude    string // "", current row, group, ties
}

// A Bound is an end of a frame. Kind: unbounded preceding, preceding, current
// row, following, unbounded following.
type Bound struct {
	Kind   string
	Offset Expr
}

// A SortBy is one item of an ORDER BY.
type SortBy struct {
	X          Expr
	Desc       bool
	NullsFirst *bool  // nil: the default (last ascending, first descending)
	Using      string // ORDER BY x USING op
}
