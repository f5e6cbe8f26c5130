package binder

import (
	"slices"
	"strings"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// clause says which part of a query an expression belongs to: what may stand
// in it, and what it is called in errors.
type clause string

const (
	inTargets   clause = "SELECT"
	inWhere     clause = "WHERE"
	inHaving    clause = "HAVING"
	inGroupBy   clause = "GROUP BY"
	inOrderBy   clause = "ORDER BY"
	inJoin      clause = "JOIN conditions"
	inLimit     clause = "LIMIT"
	inOffset    clause = "OFFSET"
	inValues    clause = "VALUES"
	inFilter    clause = "FILTER"
	inUpdate    clause = "UPDATE"
	inReturning clause = "RETURNING"
	inDefault   clause = "DEFAULT expressions"
)

// A scope resolves the names of one query level. The rows that its
// expressions see are the columns of all its relations of FROM, left to right.
type scope struct {
	b      *Binder
	parent *scope
	clause clause
	ctes   []*cte
	// items are the relations that can be named now; tables are all relations of
	// this level so far, for hints in errors.
	items  []*item
	tables []*item
	// cols are the columns of the row, by position.
	cols    []colInfo
	hasAggs bool
}

// A colInfo is what is known of a column of the scope's row.
type colInfo struct {
	table  *item
	name   string
	typ    types.Type
	origin Origin
}

// An item is a relation in FROM: a table, a subquery or a join.
type item struct {
	alias    string // "" for a join without alias
	explicit bool   // the alias was given
	rel      *catalog.Relation
	cols     []itemCol
	// relVisible: alias.column may be used; colsVisible: column alone, and *.
	relVisible, colsVisible bool
	first                   int // position of its first column in the row
	join                    bool
}

// An itemCol is a column as an item shows it. expr is over the scope's row; for
// a merged column of a join it may be more than a column.
type itemCol struct {
	name string
	expr scalar.Expr
}

// A cte is a query of WITH.
type cte struct {
	name string
	node rel.Node // nil while it is being bound
	cols []outCol
}

func (b *Binder) newScope(parent *scope) *scope {
	return &scope{b: b, parent: parent, clause: inTargets}
}

// in runs f with the scope in another clause.
func (s *scope) in(c clause, f func()) {
	old := s.clause
	s.clause = c
	f()
	s.clause = old
}

// ref is a fresh reference to a column of an item. The columns within a merged
// one stand nowhere in the text.
func (s *scope) ref(c *itemCol, pos int) scalar.Expr {
	return s.b.put(s.b.shift(c.expr, 0), pos)
}

// column resolves a name.
func (s *scope) column(c *ast.ColumnRef) scalar.Expr {
	pos := int(c.Pos)
	if c.Star {
		unsupported(c.Pos, "a whole row as a value")
	}
	switch len(c.Parts) {
	case 1:
		return s.unqualified(c.Parts[0], pos)
	case 2:
		return s.qualified("", c.Parts[0], c.Parts[1], pos)
	case 3:
		return s.qualified(c.Parts[0], c.Parts[1], c.Parts[2], pos)
	}
	failf(pgerr.SyntaxError, pos, "improper qualified name (too many dotted names): %s", strings.Join(c.Parts, "."))
	return nil
}

func (s *scope) unqualified(name string, pos int) scalar.Expr {
	if e := s.lookup(name, pos); e != nil {
		return e
	}
	if s.findItem("", name, pos) != nil {
		unsupported(ast.Pos(pos), "a whole row of table %q as a value", name)
	}
	s.missingColumn("", name, pos)
	return nil
}

// lookup finds an unqualified column, nil if there is none.
func (s *scope) lookup(name string, pos int) scalar.Expr {
	var found *itemCol
	for _, it := range s.items {
		if !it.colsVisible {
			continue
		}
		for i := range it.cols {
			if it.cols[i].name != name {
				continue
			}
			if found != nil {
				failf(pgerr.AmbiguousColumn, pos, "column reference %q is ambiguous", name)
			}
			found = &it.cols[i]
		}
	}
	if found == nil {
		return nil
	}
	return s.ref(found, pos)
}

func (s *scope) qualified(schema, table, name string, pos int) scalar.Expr {
	it := s.findItem(schema, table, pos)
	if it == nil {
		s.missingTable(schema, table, pos)
	}
	var found *itemCol
	for i := range it.cols {
		if it.cols[i].name == name {
			if found != nil {
				failf(pgerr.AmbiguousColumn, pos, "column reference %q is ambiguous", name)
			}
			found = &it.cols[i]
		}
	}
	if found == nil {
		s.missingColumn(table, name, pos)
	}
	return s.ref(found, pos)
}

// findItem finds a relation of FROM by its alias, or by schema and name.
func (s *scope) findItem(schema, name string, pos int) *item {
	var found *item
	for _, it := range s.items {
		if !it.relVisible || it.alias != name || schema != "" && (it.rel == nil || it.explicit || it.rel.Schema != schema) {
			continue
		}
		if found != nil {
			failf("42P09", pos, "table reference %q is ambiguous", name)
		}
		found = it
	}
	return found
}

// missingTable raises the error for a qualifier that is not in FROM.
func (s *scope) missingTable(schema, table string, pos int) {
	rel := s.b.cat.Lookup(schema, table, s.b.opts.SearchPath)
	for l := s; l != nil; l = l.parent {
		for _, it := range l.tables {
			byRel := rel != nil && it.rel == rel
			if !byRel && (schema != "" || it.alias != table) {
				continue
			}
			e := pgerr.Newf(pgerr.UndefinedTable, "invalid reference to FROM-clause entry for table %q", table).At(pos)
			if it.explicit && it.alias != table && slices.Contains(s.items, it) {
				fail(e.WithHint("Perhaps you meant to reference the table alias %q.", it.alias))
			}
			fail(e.WithHint("There is an entry for table %q, but it cannot be referenced from this part of the query.", it.alias))
		}
	}
	failf(pgerr.UndefinedTable, pos, "missing FROM-clause entry for table %q", table)
}

// missingColumn raises 42703, with PostgreSQL's hint of a similar name.
func (s *scope) missingColumn(table, name string, pos int) {
	e := pgerr.Newf(pgerr.UndefinedColumn, "column %q does not exist", name).At(pos)
	if table != "" {
		e = pgerr.Newf(pgerr.UndefinedColumn, "column %s.%s does not exist", table, name).At(pos)
	}
	var f fuzzy
	f.distance = maxFuzzy + 1
	for l := s; l != nil; l = l.parent {
		for _, it := range l.tables {
			if it.join {
				continue
			}
			penalty := 0
			if table != "" {
				penalty = levenshtein(table, it.alias)
			}
			if penalty == 0 && slices.ContainsFunc(it.cols, func(c itemCol) bool { return c.name == name }) {
				fail(e.WithHint("There is a column named %q in table %q, but it cannot be referenced from this part of the query.", name, it.alias))
			}
			for _, c := range it.cols {
				f.try(penalty, it.alias, c.name, name)
			}
		}
	}
	switch len(f.found) {
	case 1:
		e.WithHint("Perhaps you meant to reference the column \"%s.%s\".", f.found[0][0], f.found[0][1])
	case 2:
		e.WithHint("Perhaps you meant to reference the column \"%s.%s\" or the column \"%s.%s\".",
			f.found[0][0], f.found[0][1], f.found[1][0], f.found[1][1])
	}
	fail(e)
}

// maxFuzzy is the greatest edit distance of a name worth a hint.
const maxFuzzy = 3

// A fuzzy collects the columns nearest to a name; more than two are no help.
type fuzzy struct {
	distance int
	found    [][2]string
}

func (f *fuzzy) try(penalty int, alias, actual, name string) {
	if penalty > f.distance {
		return
	}
	d := levenshtein(actual, name)
	if d > len(name)/2 {
		return
	}
	d += penalty
	switch {
	case d < f.distance:
		f.distance, f.found = d, [][2]string{{alias, actual}}
	case d == f.distance && len(f.found) == 2:
		f.distance, f.found = d-1, nil
	case d == f.distance && (len(f.found) == 1 || f.distance <= maxFuzzy):
		f.found = append(f.found, [2]string{alias, actual})
	}
}

// levenshtein is the edit distance of two names in characters.
func levenshtein(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, c := range x {
		diag := row[0]
		row[0] = i + 1
		for j, d := range y {
			sub := diag
			if c != d {
				sub++
			}
			diag = row[j+1]
			row[j+1] = min(sub, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
