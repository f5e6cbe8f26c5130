package parser

import (
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// insert reads INSERT INTO …; with is already being built.
func (p *reader) insert(with *ast.With) ast.Statement {
	s := &ast.Insert{Pos: p.here(), With: with}
	p.expectKw("insert", "into")
	s.Table = &ast.TableName{Pos: p.here(), Name: p.qualified()}
	if p.accept("as") {
		s.Table.Alias.Name = p.colID()
	}
	if p.punct("(") && !p.queryAhead() {
		p.i++
		for {
			s.ColumnPos = append(s.ColumnPos, p.here())
			s.Columns = append(s.Columns, p.colID())
			if p.punct("[") || p.punct(".") {
				p.refuse(p.pos(), "INSERT into a part of a column")
				for !p.punct(",") && !p.punct(")") && !p.atEnd() && p.cur().kind != tBad {
					p.i++
				}
			}
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expect(")")
	}
	if p.accept("overriding") {
		if !p.accept("user") {
			p.expectKw("system")
		}
		p.expectKw("value")
	}
	if p.kw("default") && s.Columns == nil {
		p.expectKw("default", "values")
	} else {
		s.Query = p.laterQuery(p.query(), nil)
	}
	if p.kw("on") {
		s.Conflict = p.onConflict()
	}
	p.returning(func(t []ast.Target) { s.Returning = t })
	return s
}

func (p *reader) onConflict() *ast.OnConflict {
	c := &ast.OnConflict{Pos: p.here()}
	p.expectKw("on", "conflict")
	switch pos := p.pos(); {
	case p.punct("("):
		p.i++
		for {
			if t := p.cur(); t.colID() && !p.punctAt(1, "(") {
				c.Columns = append(c.Columns, p.colID())
			} else {
				p.refuse(pos, "ON CONFLICT on an expression")
				p.expr()
			}
			if p.accept("collate") {
				p.refuse(pos, "ON CONFLICT with a collation")
				p.qualified()
			}
			if p.cur().colID() {
				p.refuse(pos, "ON CONFLICT with an operator class")
				p.qualified()
			}
			if !p.acceptPunct(",") {
				break
			}
		}
		p.expect(")")
		if p.accept("where") {
			p.refuse(pos, "ON CONFLICT with an index predicate")
			p.expr()
		}
	case p.accept("on"):
		p.expectKw("constraint")
		p.refuse(pos, "ON CONFLICT ON CONSTRAINT")
		p.colID()
	}
	p.expectKw("do")
	if p.accept("nothing") {
		return c
	}
	p.expectKw("update", "set")
	p.assignments(func(a []ast.Assign) { c.Update = a })
	p.where(func(e ast.Expr) { c.Where = e })
	return c
}

// assignments reads column = value, …; fill gets the list as soon as it is known.
func (p *reader) assignments(fill func([]ast.Assign)) {
	var list []ast.Assign
	var values []frag
	for {
		pos := p.here()
		if p.punct("(") {
			list, values = p.assignRow(list, values)
		} else {
			list = append(list, ast.Assign{Pos: pos, Column: p.assignTarget()})
			p.expectOp("=")
			values = append(values, p.expr())
		}
		if !p.acceptPunct(",") {
			break
		}
	}
	for i, f := range values {
		a := &list[i]
		p.later(f, func(e ast.Expr) { a.Value = e })
	}
	fill(list)
}

func (p *reader) assignTarget() string {
	name := p.colID()
	if p.punct("[") || p.punct(".") {
		p.refuse(p.pos(), "assignment to a part of a column")
		for !p.op("=") && !p.punct(",") && !p.punct(")") && !p.atEnd() && p.cur().kind != tBad {
			p.i++
		}
	}
	return name
}

// assignRow reads (a, b) = (x, y) or = ROW(x, y); from a subquery it is refused.
func (p *reader) assignRow(list []ast.Assign, values []frag) ([]ast.Assign, []frag) {
	p.expect("(")
	n := 0
	for {
		list = append(list, ast.Assign{Pos: p.here(), Column: p.assignTarget()})
		n++
		if !p.acceptPunct(",") {
			break
		}
	}
	p.expect(")")
	p.expectOp("=")
	pos := p.pos()
	row := p.accept("row")
	if !p.punct("(") || !row && p.queryAhead() {
		p.refuse(pos, "assignment of several columns from one expression")
		p.expr()
		for range n {
			values = append(values, p.t("NULL", pos))
		}
		return list, values
	}
	p.expect("(")
	fs := p.exprList()
	p.expect(")")
	if len(fs) != n {
		p.object(pos, pgerr.SyntaxError, "number of columns does not match number of values")
		fs = make([]frag, n)
	}
	return list, append(values, fs...)
}

// where reads WHERE condition if it stands there.
func (p *reader) where(fill func(ast.Expr)) {
	if !p.accept("where") {
		return
	}
	if p.kw("current") && p.kwAt(1, "of") {
		p.refuse(p.pos(), "WHERE CURRENT OF")
		p.i += 2
		p.colID()
		return
	}
	p.later(p.expr(), fill)
}

// dmlTarget reads the table of an UPDATE or DELETE with its alias.
func (p *reader) dmlTarget() *ast.TableName {
	t := p.tableName()
	if p.accept("as") {
		t.Alias.Name = p.colID()
	} else if c := p.cur(); c.colID() && !c.is("set") {
		t.Alias.Name = p.colID()
	}
	return t
}

func (p *reader) update(with *ast.With) ast.Statement {
	s := &ast.Update{Pos: p.here(), With: with}
	p.expectKw("update")
	s.Table = p.dmlTarget()
	p.expectKw("set")
	p.assignments(func(a []ast.Assign) { s.Set = a })
	if p.accept("from") {
		p.fromItems(func(f []ast.TableRef) { s.From = f })
	}
	p.where(func(e ast.Expr) { s.Where = e })
	p.returning(func(t []ast.Target) { s.Returning = t })
	return s
}

func (p *reader) delete(with *ast.With) ast.Statement {
	s := &ast.Delete{Pos: p.here(), With: with}
	p.expectKw("delete", "from")
	s.Table = p.dmlTarget()
	if p.accept("using") {
		p.fromItems(func(f []ast.TableRef) { s.Using = f })
	}
	p.where(func(e ast.Expr) { s.Where = e })
	p.returning(func(t []ast.Target) { s.Returning = t })
	return s
}

func (p *reader) truncate() ast.Statement {
	s := &ast.Truncate{Pos: p.here()}
	p.expectKw("truncate")
	p.accept("table")
	for {
		s.Tables = append(s.Tables, p.tableName())
		if !p.acceptPunct(",") {
			break
		}
	}
	if pos := p.pos(); p.accept("restart") {
		p.refuse(pos, "TRUNCATE … RESTART IDENTITY")
		p.expectKw("identity")
	} else if p.accept("continue") {
		p.expectKw("identity")
	}
	s.Cascade = p.cascade()
	return s
}
