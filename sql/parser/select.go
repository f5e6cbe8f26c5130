package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A query is one query while it is read: node has all but the parts that
// TiDB's grammar is to build.
type query struct {
	node  *ast.Select
	pos   int32
	with  frag
	body  frag // SELECT … or VALUES …; empty for a set operation
	l, r  *query
	on    []frag // of DISTINCT ON
	order []frag
	limit frag
	after frag // OFFSET
	all   bool // LIMIT ALL was written
}

func (p *reader) query() *query {
	p.enter()
	defer p.leave()
	pos := p.pos()
	if p.kw("with") {
		with, text := p.withClause()
		return p.queryOf(pos, with, text)
	}
	return p.queryOf(pos, nil, frag{})
}

// queryOf reads the query after its WITH clause, if it has one.
func (p *reader) queryOf(pos int32, with *ast.With, text frag) *query {
	q := p.setExpr(1)
	if with != nil {
		if q.node.With != nil {
			p.raise(q.pos, pgerr.SyntaxError, "multiple WITH clauses not allowed")
		}
		q.node.With, q.with = with, text
		q.pos, q.node.Pos = pos, p.at(pos)
	}
	p.queryTail(q)
	return q
}

// queryTail reads ORDER BY, LIMIT, OFFSET, FETCH and FOR UPDATE.
func (p *reader) queryTail(q *query) {
	if p.kw("order") {
		pos := p.pos()
		p.i++
		p.expectKw("by")
		items, fs := p.sortList()
		if q.order != nil {
			p.raise(pos, pgerr.SyntaxError, "multiple ORDER BY clauses not allowed")
		}
		q.node.OrderBy, q.order = items, fs
	}
	locked := p.kw("for")
	p.lockings(q)
	p.limits(q)
	if !locked {
		p.lockings(q)
	}
}

// limits reads LIMIT or FETCH, and OFFSET, in either order.
func (p *reader) limits(q *query) {
	limit, offset := false, false
	for {
		pos := p.pos()
		switch {
		case !limit && p.accept("limit"):
			limit = true
			p.checkLimit(q, pos)
			if p.accept("all") {
				q.all = true
			} else {
				q.limit = p.expr()
			}
			if p.punct(",") {
				p.i++
				p.expr()
				panic(pgerr.Newf(pgerr.SyntaxError, "LIMIT #,# syntax is not supported").
					WithHint("Use separate LIMIT and OFFSET clauses.").At(p.char(pos) + 1))
			}
		case !limit && p.accept("fetch"):
			limit = true
			p.fetchFirst(q, pos)
		case !offset && p.accept("offset"):
			offset = true
			if q.after.head != 0 {
				p.raise(pos, pgerr.SyntaxError, "multiple OFFSET clauses not allowed")
			}
			q.after = p.expr()
			if !p.accept("row") {
				p.accept("rows")
			}
		default:
			return
		}
	}
}

func (p *reader) lockings(q *query) {
	for p.kw("for") {
		pos := p.pos()
		p.i++
		p.locking(q, pos)
	}
}

func (p *reader) checkLimit(q *query, pos int32) {
	if q.limit.head != 0 || q.all {
		p.raise(pos, pgerr.SyntaxError, "multiple LIMIT clauses not allowed")
	}
}

func (p *reader) fetchFirst(q *query, pos int32) {
	if !p.accept("first") {
		p.expectKw("next")
	}
	p.checkLimit(q, pos)
	switch c := p.cur(); {
	case (c.is("row") || c.is("rows")) && (p.kwAt(1, "only") || p.kwAt(1, "with")):
		q.limit = p.t("1", pos)
	case c.kind == tOp && (c.val == "+" || c.val == "-"):
		p.i++
		n := p.cur()
		if n.kind != tInt && n.kind != tNum {
			p.fail()
		}
		e, _ := p.constant(n)
		p.i++
		q.limit = p.cat(p.t(c.val, c.pos), p.paren(e.frag, c.pos))
	default:
		q.limit = p.primary().frag
	}
	if !p.accept("row") {
		p.expectKw("rows")
	}
	if p.accept("with") {
		p.expectKw("ties")
		q.node.WithTies = true
		return
	}
	p.expectKw("only")
}

func (p *reader) locking(q *query, pos int32) {
	if p.accept("read") {
		p.expectKw("only")
		return
	}
	if p.accept("no") {
		p.expectKw("key")
		if !p.kw("update") {
			p.fail()
		}
	} else if p.accept("key") {
		if !p.kw("share") {
			p.fail()
		}
	}
	if !p.accept("update") {
		p.expectKw("share")
	}
	if p.accept("of") {
		p.qualified()
		for p.acceptPunct(",") {
			p.qualified()
		}
	}
	if !p.accept("nowait") && p.accept("skip") {
		p.expectKw("locked")
	}
	q.node.Locking = append(q.node.Locking, p.at(pos))
}

// setExpr reads set operations: INTERSECT binds tighter, all are left-associative.
func (p *reader) setExpr(min int) *query {
	outer := p.height
	p.height = 0
	l := p.setPrimary()
	h := p.grow(0)
	for {
		c := p.cur()
		bp := 0
		switch {
		case c.is("union"), c.is("except"):
			bp = 1
		case c.is("intersect"):
			bp = 2
		}
		if bp == 0 || bp < min {
			p.height = max(outer, h)
			return l
		}
		p.i++
		op := &ast.SetOp{Pos: p.at(c.pos), Kind: c.val}
		if op.All = p.accept("all"); !op.All {
			p.accept("distinct")
		}
		p.height = 0
		r := p.setExpr(bp + 1)
		h = p.grow(h)
		l = &query{pos: l.pos, node: &ast.Select{Pos: p.at(l.pos), Body: op}, l: l, r: r}
	}
}

func (p *reader) setPrimary() *query {
	pos := p.pos()
	switch {
	case p.kw("select"):
		return p.selectCore()
	case p.accept("values"):
		v := &ast.Values{Pos: p.at(pos)}
		f := p.t("VALUES", pos)
		for {
			lp := p.expect("(")
			fs := p.exprList()
			p.expect(")")
			v.Rows = append(v.Rows, make([]ast.Expr, len(fs)))
			f = p.cat(f, p.t("ROW", lp), p.paren(p.list(lp, fs), lp))
			if !p.acceptPunct(",") {
				return &query{pos: pos, node: &ast.Select{Pos: p.at(pos), Body: v}, body: f}
			}
			f = p.cat(f, p.t(",", pos))
		}
	case p.accept("table"):
		t := p.relation()
		star := p.call(&ast.ColumnRef{Pos: p.at(pos), Star: true}, pos)
		core := &ast.SelectCore{Pos: p.at(pos), Targets: []ast.Target{{Pos: p.at(pos)}}, From: make([]ast.TableRef, 1)}
		return &query{pos: pos, node: &ast.Select{Pos: p.at(pos), Body: core}, body: p.cat(p.t("SELECT", pos), star, p.t("FROM", pos), t)}
	}
	p.expect("(")
	q := p.query()
	p.expect(")")
	return q
}

// emitQuery emits q. Its last ORDER BY item is the reserved name of its node,
// with the limit, the offset and the expressions of DISTINCT ON as parts.
func (p *reader) emitQuery(q *query) frag {
	f := q.body
	if q.l != nil {
		op := q.node.Body.(*ast.SetOp)
		word := strings.ToUpper(op.Kind)
		if op.All {
			word += " ALL"
		}
		f = p.cat(p.paren(p.emitQuery(q.l), q.pos), p.t(word, q.pos), p.paren(p.emitQuery(q.r), q.pos))
	}
	var parts []frag
	if q.limit.head != 0 {
		q.node.Limit = missing
		parts = append(parts, q.limit)
	}
	if q.after.head != 0 {
		q.node.Offset = missing
		parts = append(parts, q.after)
	}
	parts = append(parts, q.on...)
	order := append(q.order, p.call(q.node, q.pos, parts...))
	return p.cat(q.with, f, p.t("ORDER BY", q.pos), p.list(q.pos, order))
}

func (p *reader) withClause() (*ast.With, frag) {
	pos := p.pos()
	w := &ast.With{Pos: p.at(pos)}
	p.expectKw("with")
	f := p.t("WITH", pos)
	if !p.punctAt(1, "(") && p.accept("recursive") {
		w.Recursive = true
		f = p.t("WITH RECURSIVE", pos)
	}
	for {
		np := p.pos()
		c := ast.CTE{Pos: p.at(np), Name: p.colID(), Columns: p.parenColIDs()}
		p.expectKw("as")
		not := p.accept("not")
		if not || p.kw("materialized") {
			p.expectKw("materialized")
			yes := !not
			c.Materialized = &yes
		}
		lp := p.expect("(")
		var body frag
		if p.kw("insert") || p.kw("update") || p.kw("delete") {
			c.Stmt = p.statement()
			body = p.t("SELECT NULL", lp)
		} else {
			body = p.emitQuery(p.query())
		}
		p.expect(")")
		if p.kw("search") || p.kw("cycle") {
			pos := p.pos()
			p.refuse(pos, "the "+strings.ToUpper(p.cur().val)+" clause")
			p.searchOrCycle()
		}
		w.CTEs = append(w.CTEs, c)
		f = p.cat(f, p.ident(c.Name, np), p.t("AS", np), p.paren(body, lp))
		if !p.acceptPunct(",") {
			return w, f
		}
		f = p.cat(f, p.t(",", np))
	}
}

// searchOrCycle reads past SEARCH … SET name and CYCLE … SET name USING name, for their syntax errors.
func (p *reader) searchOrCycle() {
	if p.accept("search") {
		if !p.accept("depth") {
			p.expectKw("breadth")
		}
		p.expectKw("first", "by")
		p.colIDs()
		p.expectKw("set")
		p.colID()
	}
	if p.accept("cycle") {
		p.colIDs()
		p.expectKw("set")
		p.colID()
		if p.accept("to") {
			p.primary()
			p.expectKw("default")
			p.primary()
		}
		p.expectKw("using")
		p.colID()
	}
}

func (p *reader) selectCore() *query {
	pos := p.pos()
	core := &ast.SelectCore{Pos: p.at(pos)}
	q := &query{pos: pos, node: &ast.Select{Pos: p.at(pos), Body: core}}
	p.expectKw("select")
	f := p.t("SELECT", pos)
	if p.accept("distinct") {
		core.Distinct = true
		if p.accept("on") {
			p.expect("(")
			q.on = p.exprList()
			p.expect(")")
			core.DistinctOn = make([]ast.Expr, len(q.on))
		}
	} else {
		p.accept("all")
	}
	var items frag
	core.Targets, items = p.targetList()
	if core.Targets == nil {
		if core.Distinct {
			p.fail()
		}
		items = p.t("NULL", pos)
	}
	f = p.cat(f, items)
	if p.kw("into") {
		p.refuse(p.pos(), "SELECT INTO")
		p.i++
		for p.kw("temp") || p.kw("temporary") || p.kw("unlogged") || p.kw("table") {
			p.i++
		}
		p.qualified()
	}
	q.body = p.cat(f, p.selectTail(core, pos))
	return q
}

// selectTail reads FROM to WINDOW. TiDB wants a FROM before some of the others.
func (p *reader) selectTail(core *ast.SelectCore, pos int32) (f frag) {
	if p.kw("from") {
		fp := p.pos()
		p.i++
		n, list := p.fromList()
		core.From = make([]ast.TableRef, n)
		f = p.cat(p.t("FROM", fp), list)
	} else {
		f = p.t("FROM `"+mark+"`", pos)
	}
	if p.kw("where") {
		wp := p.pos()
		p.i++
		core.Where = missing
		f = p.cat(f, p.t("WHERE", wp), p.expr())
	}
	if p.kw("group") {
		gp := p.pos()
		p.i++
		p.expectKw("by")
		if core.GroupAll = p.accept("distinct"); !core.GroupAll {
			p.accept("all")
		}
		items := p.groupItems()
		core.GroupBy = make([]ast.Expr, len(items))
		f = p.cat(f, p.t("GROUP BY", gp), p.list(gp, items))
	}
	if p.kw("having") {
		hp := p.pos()
		p.i++
		core.Having = missing
		f = p.cat(f, p.t("HAVING", hp), p.expr())
	}
	if p.kw("window") {
		wp := p.pos()
		p.i++
		f = p.cat(f, p.t("WINDOW", wp))
		for {
			w := &ast.Window{Pos: p.here()}
			np := p.pos()
			core.Windows = append(core.Windows, ast.NamedWindow{Name: p.colID(), Def: w})
			p.expectKw("as")
			f = p.cat(f, p.t(backquote(mark), np), p.t("AS", np), p.windowSpec(w))
			if !p.acceptPunct(",") {
				break
			}
			f = p.cat(f, p.t(",", np))
		}
	}
	return f
}

// targetList reads a select list or a RETURNING list; nil if it is empty.
func (p *reader) targetList() ([]ast.Target, frag) {
	var list []ast.Target
	var fs []frag
	c := p.cur()
	if p.atEnd() || c.punct(")") || c.queryTail() {
		return nil, frag{}
	}
	switch {
	case c.kind != tIdent:
	case c.is("from"), c.is("where"), c.is("group"), c.is("having"), c.is("window"), c.is("into"):
		return nil, frag{}
	}
	pos := c.pos
	for {
		c := p.cur()
		t := ast.Target{Pos: p.at(c.pos)}
		if p.op("*") {
			p.i++
			fs = append(fs, p.call(&ast.ColumnRef{Pos: t.Pos, Star: true}, c.pos))
		} else {
			p.asTarget = true
			fs = append(fs, p.expr())
			if p.accept("as") {
				t.Name = p.colLabel()
			} else if p.cur().bareLabel() {
				t.Name = p.colLabel()
			}
		}
		list = append(list, t)
		if !p.acceptPunct(",") {
			return list, p.list(pos, fs)
		}
	}
}

func (p *reader) groupItems() []frag {
	p.enter()
	defer p.leave()
	var out []frag
	for {
		pos := p.pos()
		n := &ast.GroupingSet{Pos: p.at(pos), Kind: p.cur().val}
		var parts []frag
		switch {
		case (p.kw("rollup") || p.kw("cube")) && p.punctAt(1, "("):
			p.i += 2
			parts = p.exprList()
			p.expect(")")
		case p.kw("grouping") && p.kwAt(1, "sets"):
			p.i += 2
			n.Kind = "sets"
			p.expect("(")
			parts = p.groupItems()
			p.expect(")")
		case p.punct("(") && p.punctAt(1, ")"):
			p.i += 2
			n.Kind = "empty"
		default:
			n = nil
			out = append(out, p.byExpr())
		}
		if n != nil {
			n.Elems = make([]ast.Expr, len(parts))
			out = append(out, p.call(n, pos, parts...))
		}
		if !p.acceptPunct(",") {
			return out
		}
	}
}
