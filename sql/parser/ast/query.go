package ast

// A Select is a query: a body with what may stand around it.
type Select struct {
	Pos
	With     *With
	Body     SetExpr // *SelectCore, *SetOp or *Values
	OrderBy  []SortBy
	Limit    Expr // nil: none; LIMIT ALL is none
	Offset   Expr
	WithTies bool
	Locking  []Pos // FOR UPDATE and its kin: refused, or ignored for catalogs
}

// A SetExpr is the body of a query.
type SetExpr interface{ Position() Pos }

// A SelectCore is SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW …
type SelectCore struct {
	Pos
	Distinct   bool
	DistinctOn []Expr
	Targets    []Target
	From       []TableRef
	Where      Expr
	GroupBy    []Expr // an *GroupingSet among them for ROLLUP, CUBE, GROUPING SETS
	GroupAll   bool   // GROUP BY DISTINCT
	Having     Expr
	Windows    []NamedWindow
}

// A GroupingSet is ROLLUP, CUBE, GROUPING SETS or () in a GROUP BY.
type GroupingSet struct {
	Pos
	Kind  string // rollup, cube, sets, empty
	Elems []Expr
}

// A NamedWindow is one item of a WINDOW clause.
type NamedWindow struct {
	Name string
	Def  *Window
}

// A Target is an item of a select list. Name is "" without AS.
type Target struct {
	Pos
	X    Expr
	Name string
}

// A SetOp is UNION, INTERSECT or EXCEPT.
type SetOp struct {
	Pos
	Kind string // union, intersect, except
	All  bool
	L, R *Select
}

// A Values is VALUES (…), (…).
type Values struct {
	Pos
	Rows [][]Expr
}

// A With is a WITH clause.
type With struct {
	Pos
	Recursive bool
	CTEs      []CTE
}

// A CTE is one common table expression.
type CTE struct {
	Pos
	Name         string
	Columns      []string
	Materialized *bool
	Query        *Select   // nil for a data-modifying one
	Stmt         Statement // INSERT, UPDATE or DELETE in a WITH
}

// A TableRef is an item of FROM.
type TableRef interface{ Position() Pos }

// An Alias is AS name (columns).
type Alias struct {
	Name    string
	Columns []string
}

// A TableName is a relation by name.
type TableName struct {
	Pos
	Name  []string
	Only  bool
	Alias Alias
}

// A DerivedTable is [LATERAL] (query) AS alias.
type DerivedTable struct {
	Pos
	Lateral bool
	Query   *Select
	Alias   Alias
}

// A FuncTable is [LATERAL] f(…) [WITH ORDINALITY] AS alias; ROWS FROM has several calls.
type FuncTable struct {
	Pos
	Lateral    bool
	Calls      []*Call
	Ordinality bool
	Alias      Alias
	ColTypes   []TypeName // of a column definition list, beside Alias.Columns
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The joins. A comma in FROM is two items; CROSS JOIN is Inner without On.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
)

// A Join is a join of two items of FROM.
type Join struct {
	Pos
	Kind       JoinKind
	Natural    bool
	L, R       TableRef
	On         Expr
	Using      []string
	UsingAlias string
	Alias      Alias // of the parenthesised join as a whole
}
