package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

func (p *reader) create() ast.Statement {
	start := p.pos()
	p.expectKw("create")
	replace := p.accept("or")
	if replace {
		p.expectKw("replace")
	}
	for p.kw("temp") || p.kw("temporary") || p.kw("unlogged") || p.kw("local") || p.kw("global") {
		if p.kw("temp") || p.kw("temporary") {
			p.refuse(p.pos(), "a temporary relation")
		}
		p.i++
	}
	c := p.cur()
	switch {
	case c.is("view"), c.is("recursive"), c.is("materialized"):
		return p.createView(start, replace)
	case replace && (c.is("source") || c.is("table") || c.is("index") || c.is("schema")):
		p.fail()
	case c.is("source"):
		return p.createSource(start)
	case c.is("secret"):
		return p.createSecret(start, replace)
	case c.is("table"):
		return p.createTable(start)
	case c.is("schema"):
		return p.createSchema(start)
	case c.is("index"), c.is("unique"):
		return p.createIndex(start)
	}
	return p.foreignObject(start, "CREATE")
}

// objectWords are the kinds of objects of PostgreSQL's that are not ours, by
// their first word, with the whole name.
var objectWords = map[string]string{
	"access": "ACCESS METHOD", "aggregate": "AGGREGATE", "cast": "CAST", "collation": "COLLATION", "constraint": "TRIGGER",
	"conversion": "CONVERSION", "database": "DATABASE", "default": "DEFAULT PRIVILEGES", "domain": "DOMAIN", "event": "EVENT TRIGGER",
	"extension": "EXTENSION", "foreign": "FOREIGN", "function": "FUNCTION", "group": "GROUP", "language": "LANGUAGE",
	"large": "LARGE OBJECT", "operator": "OPERATOR", "policy": "POLICY", "procedural": "LANGUAGE", "procedure": "PROCEDURE",
	"publication": "PUBLICATION", "role": "ROLE", "routine": "ROUTINE", "rule": "RULE", "sequence": "SEQUENCE", "server": "SERVER",
	"statistics": "STATISTICS", "subscription": "SUBSCRIPTION", "system": "SYSTEM", "tablespace": "TABLESPACE", "text": "TEXT SEARCH",
	"transform": "TRANSFORM", "trigger": "TRIGGER", "trusted": "LANGUAGE", "type": "TYPE", "user": "USER", "owned": "OWNED",
}

// foreignObject refuses CREATE, ALTER or DROP of an object that is not ours.
func (p *reader) foreignObject(start int32, verb string) ast.Statement {
	c := p.cur()
	kind, ok := objectWords[c.val]
	if c.kind != tIdent || !ok {
		p.fail()
	}
	return p.skip(start, verb+" "+kind)
}

func (p *reader) createView(start int32, replace bool) ast.Statement {
	s := &ast.CreateView{Pos: p.at(start), OrReplace: replace}
	if pos := p.pos(); p.accept("recursive") {
		p.refuse(pos, "CREATE RECURSIVE VIEW")
	}
	s.Materialized = p.accept("materialized")
	p.expectKw("view")
	s.IfNotExists = p.ifNotExists()
	s.NamePos = p.here()
	s.Name = p.qualified()
	s.Columns = p.parenColIDs()
	if p.accept("using") {
		p.colID()
	}
	if p.accept("with") {
		s.Options = p.options()
	}
	p.expectKw("as")
	from := p.pos()
	s.Query = p.laterQuery(p.query(), nil)
	s.QueryText = p.text(from)
	if pos := p.pos(); p.accept("with") {
		switch {
		case s.Materialized && p.accept("no"):
			p.refuse(pos, "WITH NO DATA")
			p.expectKw("data")
		case s.Materialized:
			p.expectKw("data")
		default:
			p.refuse(pos, "WITH CHECK OPTION")
			if !p.accept("local") {
				p.accept("cascaded")
			}
			p.expectKw("check", "option")
		}
	}
	return s
}

func (p *reader) createSchema(start int32) ast.Statement {
	s := &ast.CreateSchema{Pos: p.at(start)}
	p.expectKw("schema")
	s.IfNotExists = p.ifNotExists()
	if p.kw("authorization") {
		p.refuse(p.pos(), "CREATE SCHEMA AUTHORIZATION")
		p.i++
		s.Name = p.colID()
		return s
	}
	s.Name = p.colID()
	if pos := p.pos(); p.accept("authorization") {
		p.refuse(pos, "CREATE SCHEMA AUTHORIZATION")
		p.colLabel()
	}
	if p.kw("create") || p.kw("grant") {
		p.refuse(p.pos(), "CREATE SCHEMA with elements")
		for !p.atEnd() && p.cur().kind != tBad {
			p.i++
		}
	}
	return s
}

func (p *reader) createIndex(start int32) ast.Statement {
	s := &ast.CreateIndex{Pos: p.at(start)}
	s.Unique = p.accept("unique")
	p.expectKw("index")
	p.accept("concurrently")
	if s.IfNotExists = p.ifNotExists(); s.IfNotExists || !p.kw("on") {
		s.Name = p.colID()
	}
	p.expectKw("on")
	p.accept("only")
	s.Table = p.qualified()
	if p.accept("using") {
		p.colID()
	}
	p.expect("(")
	for {
		s.Columns = append(s.Columns, p.indexElem())
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expect(")")
	for i := range s.Columns {
		e := &s.Columns[i]
		if c, ok := e.X.(*pending); ok {
			p.later(c.f, func(x ast.Expr) { e.X = x })
		}
	}
	if pos := p.pos(); p.accept("include") {
		p.refuse(pos, "INCLUDE of an index")
		p.parenColIDs()
	}
	if p.accept("nulls") {
		p.accept("not")
		p.expectKw("distinct")
	}
	if p.accept("with") {
		p.options()
	}
	if p.accept("tablespace") {
		p.colID()
	}
	if pos := p.pos(); p.accept("where") {
		p.refuse(pos, "a partial index")
		p.expr()
	}
	return s
}

// A pending stands for an expression that is read and not yet built.
type pending struct {
	ast.Pos
	f frag
}

// indexElem reads column | function(…) | (expression) with its order.
func (p *reader) indexElem() ast.SortBy {
	var s ast.SortBy
	s.X = &pending{Pos: p.here(), f: p.primary().frag}
	if pos := p.pos(); p.accept("collate") {
		p.refuse(pos, "a collation of an index")
		p.qualified()
	}
	if c := p.cur(); c.colID() && !c.is("asc") && !c.is("desc") && !c.is("nulls") {
		p.qualified() // an operator class
		if p.punct("(") {
			p.options()
		}
	}
	if p.accept("desc") {
		s.Desc = true
	} else {
		p.accept("asc")
	}
	if p.accept("nulls") {
		first := p.kw("first")
		if !first && !p.kw("last") {
			p.fail()
		}
		p.i++
		s.NullsFirst = &first
	}
	return s
}

func (p *reader) createTable(start int32) ast.Statement {
	p.expectKw("table")
	ifNot := p.ifNotExists()
	name := p.qualified()
	if p.kw("of") || p.kw("partition") {
		return p.skip(start, "CREATE TABLE … "+strings.ToUpper(p.cur().val)+" …")
	}
	if cols, ok := p.tableAsAhead(); ok {
		s := &ast.CreateTableAs{Pos: p.at(start), IfNotExists: ifNot, Name: name, Columns: cols}
		p.tableOptions()
		p.expectKw("as")
		if p.kw("execute") {
			return p.skip(start, "CREATE TABLE AS EXECUTE")
		}
		s.Query = p.laterQuery(p.query(), nil)
		if pos := p.pos(); p.accept("with") {
			if p.accept("no") {
				p.refuse(pos, "WITH NO DATA")
			}
			p.expectKw("data")
		}
		return s
	}
	s := &ast.CreateTable{Pos: p.at(start), IfNotExists: ifNot, Name: name}
	p.expect("(")
	for !p.punct(")") {
		p.tableElement(s)
		if !p.acceptPunct(",") {
			break
		}
		if p.punct(")") {
			p.fail()
		}
	}
	p.expect(")")
	if pos := p.pos(); p.accept("inherits") {
		p.refuse(pos, "INHERITS")
		p.skipParens()
	}
	if pos := p.pos(); p.kw("partition") {
		return p.skip(pos, "PARTITION BY")
	}
	p.tableOptions()
	return s
}

// tableAsAhead says whether CREATE TABLE goes on as … [(columns)] … AS, and reads the columns.
func (p *reader) tableAsAhead() (cols []string, ok bool) {
	if !p.punct("(") {
		return nil, true
	}
	for j := p.i + 1; p.toks[j].colID(); j += 2 {
		if p.toks[j+1].punct(")") {
			return p.parenColIDs(), true
		}
		if !p.toks[j+1].punct(",") {
			break
		}
	}
	return nil, false
}

// tableOptions reads what may follow a table's columns and changes nothing here.
func (p *reader) tableOptions() {
	if p.accept("using") {
		p.colID()
	}
	if p.accept("with") {
		p.options()
	} else if p.accept("without") {
		p.expectKw("oids")
	}
	if p.accept("on") {
		p.expectKw("commit")
		p.i++
		p.accept("rows")
	}
	if p.accept("tablespace") {
		p.colID()
	}
}

func (p *reader) tableElement(s *ast.CreateTable) {
	c := p.cur()
	switch {
	case c.is("constraint"), c.is("primary"), c.is("unique"), c.is("check"), c.is("foreign"), c.is("exclude") && p.punctAt(1, "("):
		p.tableConstraint(s)
		return
	case c.is("like"):
		p.refuse(c.pos, "CREATE TABLE … LIKE")
		p.i++
		p.qualified()
		for p.kw("including") || p.kw("excluding") {
			p.i += 2
		}
		return
	}
	s.Columns = append(s.Columns, ast.ColumnDef{Pos: p.here(), Name: p.colID(), Type: p.typeName()})
	i := len(s.Columns) - 1
	for p.columnConstraint(s, i) {
	}
}

// columnConstraint reads one constraint of column i; false if none follows.
func (p *reader) columnConstraint(s *ast.CreateTable, i int) bool {
	d := &s.Columns[i]
	c := p.cur()
	switch {
	case c.is("constraint"):
		p.i++
		p.colID()
	case c.is("not"):
		p.i++
		if p.accept("deferrable") {
			break
		}
		p.expectKw("null")
		d.NotNull = true
	case c.is("null"):
		p.i++
		if d.NotNull {
			p.raise(c.pos, pgerr.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"", d.Name, s.Name[len(s.Name)-1])
		}
	case c.is("primary"):
		p.i++
		p.expectKw("key")
		d.PrimaryKey = true
		p.indexParams()
	case c.is("default"):
		p.i++
		from := p.pos()
		f := p.parse(0, true).frag
		if d.DefaultText != "" {
			p.raise(c.pos, pgerr.SyntaxError, "multiple default values specified for column \"%s\" of table \"%s\"", d.Name, s.Name[len(s.Name)-1])
		}
		d.DefaultText = p.text(from)
		p.later(f, func(e ast.Expr) { s.Columns[i].Default = e })
	case c.is("unique"):
		p.refuse(c.pos, "a UNIQUE constraint")
		p.i++
		p.indexParams()
	case c.is("check"):
		p.refuse(c.pos, "a CHECK constraint")
		p.i++
		p.skipCheck()
	case c.is("references"):
		p.refuse(c.pos, "a FOREIGN KEY constraint")
		p.i++
		p.references()
	case c.is("generated"):
		p.refuse(c.pos, "a generated column")
		p.i++
		if !p.accept("always") {
			p.expectKw("by", "default")
		}
		p.expectKw("as")
		p.accept("identity")
		if p.punct("(") {
			p.skipParens()
		}
		p.accept("stored")
	case c.is("collate"):
		p.i++
		if name := p.qualified(); name[len(name)-1] != "C" && name[len(name)-1] != "POSIX" && name[len(name)-1] != "default" {
			p.refuse(c.pos, "a collation other than \"C\"")
		}
	case c.is("storage"), c.is("compression"):
		p.i++
		p.colLabel()
	case c.is("deferrable"):
		p.i++
	case c.is("initially"):
		p.i += 2
	default:
		return false
	}
	return true
}

func (p *reader) skipCheck() {
	p.expect("(")
	p.expr()
	p.expect(")")
	if p.accept("no") {
		p.expectKw("inherit")
	}
}

// indexParams reads what may follow PRIMARY KEY and UNIQUE.
func (p *reader) indexParams() {
	if p.accept("with") {
		p.options()
	}
	if p.accept("using") {
		p.expectKw("index", "tablespace")
		p.colID()
	}
}

// references reads the rest of REFERENCES table [(columns)] ….
func (p *reader) references() {
	p.qualified()
	p.parenColIDs()
	if p.accept("match") {
		p.i++
	}
	for p.accept("on") {
		if !p.accept("delete") {
			p.expectKw("update")
		}
		switch {
		case p.accept("no"):
			p.expectKw("action")
		case p.accept("set"):
			if !p.accept("null") {
				p.expectKw("default")
			}
		case p.accept("cascade"):
		default:
			p.expectKw("restrict")
		}
	}
}

func (p *reader) tableConstraint(s *ast.CreateTable) {
	if p.accept("constraint") {
		p.colID()
	}
	c := p.cur()
	switch {
	case c.is("primary"):
		p.i++
		p.expectKw("key")
		if s.PrimaryKey != nil {
			p.raise(c.pos, pgerr.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", s.Name[len(s.Name)-1])
		}
		s.PrimaryKeyPos = p.at(c.pos)
		if s.PrimaryKey = p.parenColIDs(); s.PrimaryKey == nil {
			p.fail()
		}
		p.indexParams()
	case c.is("unique"):
		p.refuse(c.pos, "a UNIQUE constraint")
		p.i++
		p.parenColIDs()
		p.indexParams()
	case c.is("check"):
		p.refuse(c.pos, "a CHECK constraint")
		p.i++
		p.skipCheck()
	case c.is("foreign"):
		p.refuse(c.pos, "a FOREIGN KEY constraint")
		p.i++
		p.expectKw("key")
		p.parenColIDs()
		p.expectKw("references")
		p.references()
	case c.is("exclude"):
		p.refuse(c.pos, "an EXCLUDE constraint")
		p.i++
		p.skipParens()
	default:
		p.fail()
	}
	for p.kw("deferrable") || p.kw("initially") || p.kw("not") {
		if p.accept("initially") {
			p.i++
			continue
		}
		p.accept("not")
		p.expectKw("deferrable")
	}
}
