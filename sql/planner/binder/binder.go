// Package binder gives a syntax tree its meaning: names become relations and
// column positions, overloads are chosen, every cast is explicit. It follows
// PostgreSQL's parse analysis (manual, chapters "Type Conversion" and "Value
// Expressions"), its errors with their positions included.
//
// Inside the package an error of the user's statement is a panic of type
// failure, caught by the exported functions: analysis is one deep recursion in
// which nothing is done on the way out, and an error return in each of its
// hundreds of calls would hide the rules.
package binder

import (
	"errors"
	"slices"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// Options are what a session adds to the catalog.
type Options struct {
	SearchPath []string
	// ParamTypes are the parameters' types as the client gave them; 0 and those
	// beyond the list are inferred.
	ParamTypes []types.OID
	// ParseView parses the text of a query: of plain views, and of defaults as
	// SELECT default. Without it neither can be used.
	ParseView func(text string) (*ast.Select, error)
	// Format reads literals of types that depend on the session's time zone; nil: UTC.
	Format *types.Format
}

// A Binder binds one statement against one version of the catalog.
type Binder struct {
	cat    *catalog.Snapshot
	opts   Options
	params []types.OID // 0: not yet inferred
	deps   []catalog.ID
	// at is where an expression stands: the leftmost position of its parts, as
	// PostgreSQL reports it. Keyed by identity; 0 when unknown.
	at map[scalar.Expr]int
	// open are parameters that were used before their type was known, where
	// nothing said it; opaque are expressions that are not plain columns although they look so.
	open   []*scalar.Param
	opaque map[scalar.Expr]bool
	// views are the plain views being expanded, and depth the nesting of expressions and queries.
	views []catalog.ID
	depth int
}

// New makes a binder. It is for one statement and one goroutine.
func New(cat *catalog.Snapshot, opts Options) *Binder {
	if opts.Format == nil {
		opts.Format = new(types.Format)
	}
	return &Binder{cat: cat, opts: opts, params: slices.Clone(opts.ParamTypes), at: map[scalar.Expr]int{}, opaque: map[scalar.Expr]bool{}}
}

// An Origin says of which relation's column a result column is a plain copy.
type Origin struct {
	Relation catalog.ID // 0: of none
	Attr     int16      // from 1
}

// A Query is a bound query.
type Query struct {
	// Root gives the result's columns, then those that only Order needs. It
	// does not contain the query's own ORDER BY, LIMIT and OFFSET.
	Root rel.Node
	// Order is over Root's columns.
	Order         []rel.SortKey
	Limit, Offset scalar.Expr // bigint; nil: none
	// Visible is how many of Root's columns belong to the result, described by
	// Cols and Origins.
	Visible int
	Cols    types.Schema
	Origins []Origin
	Params  []types.OID
	// Deps are the relations that the query names, in order of ID; a plain view
	// is named, what it reads is not.
	Deps []catalog.ID
	// positions of result columns, for CheckView
	pos      []int
	orderPos int
	limitPos int
}

// BindQuery binds a query.
func (b *Binder) BindQuery(q *ast.Select) (out *Query, err error) {
	defer catch(&err)
	r := b.query(q, nil, false)
	out = &Query{Root: r.node, Order: r.order, Limit: r.limit, Offset: r.offset, Visible: len(r.cols),
		Params: b.finishParams(), Deps: b.finishDeps(), orderPos: r.orderPos, limitPos: r.limitPos}
	for _, c := range r.cols {
		out.Cols = append(out.Cols, types.Column{Name: c.name, Type: c.typ})
		out.Origins = append(out.Origins, c.origin)
		out.pos = append(out.pos, c.pos)
	}
	return out, nil
}

// finishParams checks that every parameter's type is known.
func (b *Binder) finishParams() []types.OID {
	for i, t := range b.params {
		if t == 0 || t == types.Unknown {
			fail(pgerr.Newf(pgerr.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1))
		}
	}
	for _, p := range b.open {
		failf(pgerr.AmbiguousParameter, b.pos(p), "could not determine data type of parameter $%d", p.N)
	}
	return b.params
}

func (b *Binder) finishDeps() []catalog.ID {
	slices.Sort(b.deps)
	return slices.Compact(b.deps)
}

// maxDepth bounds the nesting of a statement; the parser has a bound of its
// own, expanded views add to it.
const maxDepth = 4000

// enter counts one level of nesting; call the result when leaving it.
func (b *Binder) enter() func() {
	b.depth++
	if b.depth > maxDepth {
		fail(pgerr.Newf(pgerr.StatementTooComplex, "stack depth limit exceeded"))
	}
	return b.leave
}

func (b *Binder) leave() { b.depth-- }

// A failure carries an error of the user's statement to the exported function.
type failure struct{ err error }

func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.err
	default:
		panic(r)
	}
}

func fail(err error) { panic(failure{err}) }

func failf(code pgerr.Code, pos int, format string, args ...any) {
	fail(pgerr.Newf(code, format, args...).At(pos))
}

func unsupported(pos ast.Pos, format string, args ...any) {
	fail(pgerr.Unsupported(int(pos), format, args...))
}

// failAt raises err with a position, unless it has one.
func failAt(err error, pos int) {
	var e *pgerr.Error
	if errors.As(err, &e) && e.Position == 0 && pos > 0 {
		c := *e
		c.Position = pos
		fail(&c)
	}
	fail(err)
}

// put notes where an expression stands and returns it.
func (b *Binder) put(e scalar.Expr, pos int) scalar.Expr {
	if pos > 0 {
		b.at[e] = pos
	}
	return e
}

// pos is where an expression stands, 0 if unknown.
func (b *Binder) pos(e scalar.Expr) int { return b.at[e] }

// leftmost is the least known position of pos and the expressions.
func (b *Binder) leftmost(pos int, es ...scalar.Expr) int {
	for _, e := range es {
		if p := b.at[e]; p > 0 && (pos <= 0 || p < pos) {
			pos = p
		}
	}
	return pos
}
