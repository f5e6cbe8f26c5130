package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// statement reads one statement, up to what cannot belong to it.
func (p *reader) statement() ast.Statement {
	p.enter()
	defer p.leave()
	c := p.cur()
	pos := p.here()
	switch {
	case c.punct("("), c.is("select"), c.is("values"), c.is("table"):
		return &ast.Query{Pos: pos, Select: p.laterQuery(p.query(), nil)}
	case c.is("with"):
		return p.withStatement()
	case c.kind != tIdent:
		p.fail()
	}
	switch c.val {
	case "create":
		return p.create()
	case "alter":
		return p.alter()
	case "drop":
		return p.drop()
	case "insert":
		return p.insert(nil)
	case "update":
		return p.update(nil)
	case "delete":
		return p.delete(nil)
	case "truncate":
		return p.truncate()
	case "set":
		return p.set()
	case "reset":
		return p.reset()
	case "show":
		return p.show()
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release":
		return p.transaction()
	case "explain":
		return p.explain()
	case "prepare":
		return p.prepare()
	case "execute":
		return p.execute()
	case "deallocate":
		return p.deallocate()
	case "discard":
		return p.discard()
	case "declare":
		return p.declare()
	case "fetch", "move":
		return p.fetch()
	case "close":
		return p.closeCursor()
	case "copy":
		return p.copy()
	case "subscribe":
		return p.subscribe()
	case "comment":
		return p.comment()
	}
	return p.foreign(c)
}

// foreignStatements are PostgreSQL's that we have no use for.
var foreignStatements = map[string]bool{
	"analyze": true, "analyse": true, "call": true, "checkpoint": true, "cluster": true, "do": true, "grant": true,
	"import": true, "listen": true, "load": true, "lock": true, "merge": true, "notify": true, "reassign": true,
	"refresh": true, "reindex": true, "revoke": true, "security": true, "unlisten": true, "vacuum": true,
}

// foreign refuses a statement of PostgreSQL's that is not ours; anything else is a syntax error.
func (p *reader) foreign(c *token) ast.Statement {
	if !foreignStatements[c.val] {
		p.fail()
	}
	name := strings.ToUpper(c.val)
	switch {
	case c.val == "refresh" && p.kwAt(1, "materialized"):
		name = "REFRESH MATERIALIZED VIEW"
	case c.val == "import":
		name = "IMPORT FOREIGN SCHEMA"
	case c.val == "reassign":
		name = "REASSIGN OWNED"
	case c.val == "security":
		name = "SECURITY LABEL"
	}
	return p.skip(c.pos, name)
}

// skip refuses a statement and passes over the rest of it.
func (p *reader) skip(pos int32, name string) ast.Statement {
	p.refuse(pos, name)
	for !p.atEnd() {
		if p.cur().kind == tBad {
			p.fail()
		}
		p.i++
	}
	return &ast.Comment{Pos: p.at(pos)}
}

// withStatement reads WITH … and the query, INSERT, UPDATE or DELETE behind it.
func (p *reader) withStatement() ast.Statement {
	start := p.pos()
	with, text := p.withClause()
	switch {
	case p.kw("insert"):
		return p.insert(p.withHole(with, text, start))
	case p.kw("update"):
		return p.update(p.withHole(with, text, start))
	case p.kw("delete"):
		return p.delete(p.withHole(with, text, start))
	case p.kw("merge"):
		return p.skip(p.pos(), "MERGE")
	}
	q := p.queryOf(start, with, text)
	return &ast.Query{Pos: p.at(start), Select: p.laterQuery(q, nil)}
}

// withHole has a WITH clause built in front of a query of nothing.
func (p *reader) withHole(with *ast.With, text frag, pos int32) *ast.With {
	q := p.carrier(pos)
	q.node.With, q.with = with, text
	p.laterQuery(q, nil)
	return with
}

// carrier is an empty SELECT, which brings parts of another statement to TiDB's grammar.
func (p *reader) carrier(pos int32) *query {
	core := &ast.SelectCore{Pos: p.at(pos)}
	return &query{
		pos:  pos,
		node: &ast.Select{Pos: p.at(pos), Body: core},
		body: p.t("SELECT NULL FROM `"+mark+"`", pos),
	}
}

// fromItems reads a FROM list of a statement that is no query; fill gets it.
func (p *reader) fromItems(fill func([]ast.TableRef)) {
	pos := p.pos()
	n, list := p.fromList()
	q := p.carrier(pos)
	core := q.node.Body.(*ast.SelectCore)
	core.From = make([]ast.TableRef, n)
	q.body = p.cat(p.t("SELECT NULL FROM", pos), list)
	p.laterQuery(q, func(ast.Expr) { fill(core.From) })
}

// returning reads RETURNING list if it stands there.
func (p *reader) returning(fill func([]ast.Target)) {
	pos := p.pos()
	if !p.accept("returning") {
		return
	}
	targets, list := p.targetList()
	if targets == nil {
		p.fail()
	}
	q := p.carrier(pos)
	core := q.node.Body.(*ast.SelectCore)
	core.Targets = targets
	q.body = p.cat(p.t("SELECT", pos), list, p.t("FROM `"+mark+"`", pos))
	p.laterQuery(q, func(ast.Expr) { fill(core.Targets) })
}

// options reads ( name [=] value, … ). A value is a string, a number, a word or
// nothing; name may have dots.
func (p *reader) options() []ast.Option {
	p.expect("(")
	var out []ast.Option
	for {
		if c := p.cur(); c.kind == tIdent && c.kw == kwR && c.val != "analyze" && c.val != "analyse" && c.val != "null" {
			p.fail()
		}
		o := ast.Option{Pos: p.here(), Name: p.colLabel()}
		for p.acceptPunct(".") {
			o.Name += "." + p.colLabel()
		}
		if p.op("=") {
			p.i++
			p.optionValue(&o)
		} else if !p.punct(",") && !p.punct(")") {
			p.optionValue(&o)
		}
		out = append(out, o)
		if !p.acceptPunct(",") {
			p.expect(")")
			return out
		}
	}
}

func (p *reader) optionValue(o *ast.Option) {
	o.ValuePos = p.here()
	sign := ""
	if (p.op("-") || p.op("+")) && (p.peek(1).kind == tInt || p.peek(1).kind == tNum) {
		sign = strings.TrimPrefix(p.cur().val, "+")
		p.i++
	}
	switch c := p.cur(); {
	case c.kind == tString:
		o.Value, o.Quoted = c.val, true
	case c.kind == tInt, c.kind == tNum:
		o.Value = sign + c.val
	case c.colLabel() && (c.kw != kwR || c.val == "true" || c.val == "false" || c.val == "on"):
		o.Value = c.val
	case p.op("*"):
		o.Value = "*"
	default:
		p.fail()
	}
	p.i++
}

// ifNotExists reads IF NOT EXISTS.
func (p *reader) ifNotExists() bool {
	if !p.kw("if") || !p.kwAt(1, "not") {
		return false
	}
	p.i++
	p.expectKw("not", "exists")
	return true
}

func (p *reader) ifExists() bool {
	if !p.kw("if") || !p.kwAt(1, "exists") {
		return false
	}
	p.i += 2
	return true
}

// cascade reads CASCADE or RESTRICT.
func (p *reader) cascade() bool {
	if p.accept("cascade") {
		return true
	}
	p.accept("restrict")
	return false
}
