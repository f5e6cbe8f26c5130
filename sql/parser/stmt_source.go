package parser

import (
	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// createSource reads CREATE SOURCE [IF NOT EXISTS] name FROM CDC CONNECTION
// '…' [TABLES (…) | ALL TABLES | SCHEMA s, …] [WITH (…)].
func (p *reader) createSource(start int32) ast.Statement {
	s := &ast.CreateSource{Pos: p.at(start)}
	p.expectKw("source")
	s.IfNotExists = p.ifNotExists()
	s.Name = p.qualified()
	p.expectKw("from")
	pos := p.pos()
	if s.Connector = p.colID(); s.Connector != "cdc" {
		p.refuse(pos, "the connector "+QuoteIdent(s.Connector))
	}
	p.expectKw("connection")
	s.ConnectionPos = p.here()
	s.Connection = p.expectString()
	switch {
	case p.accept("all"):
		p.expectKw("tables")
		s.AllTables = true
	case p.accept("schema"):
		s.Schemas = p.colIDs()
	case p.accept("tables"):
		if p.accept("in") {
			p.expectKw("schema")
			s.Schemas = p.colIDs()
			break
		}
		p.expect("(")
		for {
			s.Tables = append(s.Tables, p.sourceTable())
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expect(")")
	}
	if p.accept("with") {
		s.Options = p.options()
	}
	return s
}

// createSecret reads CREATE [OR REPLACE] SECRET [IF NOT EXISTS] name AS 'value'.
func (p *reader) createSecret(start int32, replace bool) ast.Statement {
	s := &ast.CreateSecret{Pos: p.at(start), OrReplace: replace}
	p.expectKw("secret")
	if !replace {
		s.IfNotExists = p.ifNotExists()
	}
	s.Name = p.qualified()
	p.expectKw("as")
	s.Value = p.expectString()
	return s
}

// sourceTable reads schema.name [(columns)] [AS local] [WHERE predicate]. The
// predicate is read for its syntax and kept as text: it goes to the source.
func (p *reader) sourceTable() ast.SourceTable {
	t := ast.SourceTable{Pos: p.here(), Name: p.qualified(), Columns: p.parenColIDs()}
	if p.accept("as") {
		t.As = p.qualified()
	}
	if p.accept("where") {
		from := p.pos()
		p.expr()
		t.Where = p.text(from)
	}
	return t
}

func (p *reader) alter() ast.Statement {
	start := p.pos()
	p.expectKw("alter")
	c := p.cur()
	switch {
	case c.is("source"):
		return p.alterSource(start)
	case c.is("table"), c.is("view"), c.is("index"), c.is("schema"):
		return p.skip(start, "ALTER "+map[string]string{"table": "TABLE", "view": "VIEW", "index": "INDEX", "schema": "SCHEMA"}[c.val])
	case c.is("materialized"):
		p.i++
		p.expectKw("view")
		return p.skip(start, "ALTER MATERIALIZED VIEW")
	}
	return p.foreignObject(start, "ALTER")
}

// alterSource reads what follows ALTER. RESNAPSHOT is another word for REFRESH.
func (p *reader) alterSource(start int32) ast.Statement {
	s := &ast.AlterSource{Pos: p.at(start)}
	p.expectKw("source")
	s.Name = p.qualified()
	verb := p.cur()
	switch {
	case verb.is("add"), verb.is("drop"), verb.is("refresh"):
		s.Action = verb.val + " table"
	case verb.is("resnapshot"):
		s.Action = "refresh table"
	default:
		p.fail()
	}
	p.i++
	p.expectKw("table")
	switch verb.val {
	case "add":
		s.IfNotExists = p.ifNotExists()
		s.Table = p.sourceTable()
		return s
	case "drop":
		s.IfExists = p.ifExists()
	}
	s.Table = ast.SourceTable{Pos: p.here(), Name: p.qualified()}
	if verb.val == "drop" {
		s.Cascade = p.cascade()
	}
	return s
}

func (p *reader) drop() ast.Statement {
	start := p.pos()
	s := &ast.Drop{Pos: p.at(start)}
	p.expectKw("drop")
	switch c := p.cur(); {
	case c.is("table"), c.is("view"), c.is("source"), c.is("index"), c.is("schema"), c.is("secret"):
		s.Kind = c.val
		p.i++
	case c.is("materialized"):
		p.i++
		p.expectKw("view")
		s.Kind = "materialized view"
	default:
		return p.foreignObject(start, "DROP")
	}
	if s.Kind == "index" {
		p.accept("concurrently")
	}
	s.IfExists = p.ifExists()
	for {
		s.NamePos = append(s.NamePos, p.here())
		s.Names = append(s.Names, p.qualified())
		if !p.acceptPunct(",") {
			break
		}
	}
	s.Cascade = p.cascade()
	return s
}

// subscribe reads SUBSCRIBE [TO] name | (query) [WITH (…)] [AS OF tick].
func (p *reader) subscribe() ast.Statement {
	s := &ast.Subscribe{Pos: p.here()}
	p.expectKw("subscribe")
	if n := p.peek(1); n.colID() && !n.is("with") || n.punct("(") {
		p.accept("to")
	}
	if p.punct("(") {
		if !p.queryAhead() {
			p.i++
			p.fail()
		}
		p.i++
		s.Query = p.laterQuery(p.query(), nil)
		p.expect(")")
	} else {
		s.Name = p.qualified()
	}
	if p.accept("with") {
		s.Options = p.options()
	}
	if p.accept("as") {
		p.expectKw("of")
		p.later(p.expr(), func(e ast.Expr) { s.AsOf = e })
		if p.kw("with") && s.Options == nil {
			p.i++
			s.Options = p.options()
		}
	}
	return s
}

// comment reads COMMENT ON kind name IS 'text' | NULL.
func (p *reader) comment() ast.Statement {
	s := &ast.Comment{Pos: p.here()}
	p.expectKw("comment", "on")
	switch c := p.cur(); {
	case c.is("table"), c.is("view"), c.is("source"), c.is("index"), c.is("schema"), c.is("column"), c.is("materialized"):
		p.i++
		if c.val == "materialized" {
			p.expectKw("view")
		}
		p.colID()
		for p.acceptPunct(".") {
			p.colLabel()
		}
	case c.kind == tIdent && objectWords[c.val] != "":
		for !p.kw("is") {
			if p.atEnd() || p.cur().kind == tBad {
				p.fail()
			}
			p.i++
		}
	default:
		p.fail()
	}
	p.expectKw("is")
	if !p.accept("null") {
		p.expectString()
	}
	return s
}
