package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// keyed emits a call of a function that SQL spells with keywords.
func (p *reader) keyed(name string, pos int32, args ...frag) operand {
	return prim(p.call(&ast.Call{Pos: p.at(pos), Name: []string{name}, Args: make([]ast.Expr, len(args))}, pos, args...))
}

// keywordPrimary reads the expressions that begin with a keyword; ok is false
// (with nothing read) if this one is a name here.
func (p *reader) keywordPrimary(c *token) (e operand, ok bool) {
	open := p.punctAt(1, "(")
	switch c.val {
	case "null", "true", "false":
		p.i++
		return operand{frag: p.t(strings.ToUpper(c.val), c.pos), prim: true, lit: tIdent}, true
	case "case":
		return p.caseExpr(c.pos), true
	case "array":
		p.i++
		if p.punct("(") {
			return prim(p.call(&ast.Subquery{Pos: p.at(c.pos), Kind: ast.ArraySubquery}, c.pos, p.parenQuery(c.pos))), true
		}
		return prim(p.arrayExpr(c.pos)), true
	case "current_date", "current_user", "session_user", "user", "current_role", "current_catalog":
		p.i++
		return p.sqlValue(c, nil), true
	case "current_schema":
		if open {
			return operand{}, false
		}
		p.i++
		return p.sqlValue(c, nil), true
	case "current_time", "current_timestamp", "localtime", "localtimestamp":
		p.i++
		if !p.acceptPunct("(") {
			return p.sqlValue(c, nil), true
		}
		pos := p.pos()
		n := []frag{p.t(p.expectInt(), pos)}
		p.expect(")")
		return p.sqlValue(c, n), true
	case "collation":
		if !p.kwAt(1, "for") {
			return operand{}, false
		}
		p.i += 2
		p.expect("(")
		a := p.expr()
		p.expect(")")
		return p.keyed("pg_collation_for", c.pos, a), true
	case "interval", "double":
		return p.literalOfKeyword(c)
	case "cast":
		if !open {
			p.failNext()
		}
	}
	if open {
		if e, ok := p.keywordCall(c); ok {
			return e, true
		}
	}
	if c.typeKeyword() {
		return p.literalOfKeyword(c)
	}
	return operand{}, false
}

func (p *reader) sqlValue(c *token, args []frag) operand {
	return prim(p.call(&ast.Call{Pos: p.at(c.pos), Name: []string{c.val}, Args: make([]ast.Expr, len(args)), SQLValue: true}, c.pos, args...))
}

// literalOfKeyword reads interval '1' day, double precision '1', timestamp(3) '…', ….
func (p *reader) literalOfKeyword(c *token) (operand, bool) {
	n := p.peek(1)
	switch {
	case c.val == "interval":
		prec := n.punct("(")
		if n.kind != tString && !prec {
			return operand{}, false
		}
		p.i++
		t := named("interval")
		t.Pos = p.at(c.pos)
		if prec {
			p.intervalQual(&t, true)
		}
		v := p.cur()
		p.expectString()
		if !prec {
			p.intervalQual(&t, false)
		}
		return prim(p.call(&ast.Cast{Pos: p.at(c.pos), Type: t}, c.pos, p.str(v.val, v.pos))), true
	case c.val == "double":
		if !n.is("precision") || p.peek(2).kind != tString {
			return operand{}, false
		}
	case n.kind == tString, n.punct("("), n.is("varying"), c.val == "national" && (n.is("char") || n.is("character")),
		(n.is("with") || n.is("without")) && p.kwAt(2, "time"):
	default:
		return operand{}, false
	}
	t := p.simpleType()
	t.Pos = p.at(c.pos)
	if p.cur().kind != tString {
		p.fail()
	}
	return p.typedLiteral(t, c.pos), true
}

func (p *reader) caseExpr(pos int32) operand {
	p.i++
	f := p.t("CASE", pos)
	if !p.kw("when") {
		f = p.cat(f, p.paren(p.expr(), pos))
	}
	for first := true; first || p.kw("when"); first = false {
		p.expectKw("when")
		f = p.cat(f, p.t("WHEN", pos), p.expr())
		p.expectKw("then")
		f = p.cat(f, p.t("THEN", pos), p.expr())
	}
	if p.accept("else") {
		f = p.cat(f, p.t("ELSE", pos), p.expr())
	}
	p.expectKw("end")
	return prim(p.cat(f, p.t("END", pos)))
}

func (p *reader) arrayExpr(pos int32) frag {
	p.enter()
	defer p.leave()
	p.expect("[")
	var elems []frag
	nested := p.punct("[")
	for !p.punct("]") {
		if nested {
			elems = append(elems, p.arrayExpr(p.pos()))
		} else {
			elems = append(elems, p.expr())
		}
		if !p.acceptPunct(",") {
			break
		}
		if p.punct("]") {
			p.fail()
		}
	}
	p.expect("]")
	return p.call(&ast.Array{Pos: p.at(pos), Elems: make([]ast.Expr, len(elems))}, pos, elems...)
}

// keywordCall reads a call whose name is a keyword of the grammar; the token after c is "(".
func (p *reader) keywordCall(c *token) (e operand, ok bool) {
	pos := c.pos
	switch c.val {
	case "exists":
		p.i++
		return prim(p.cat(p.t("EXISTS", pos), p.parenQuery(pos))), true
	case "cast", "treat":
		if c.val == "treat" {
			p.refuse(pos, "TREAT")
		}
		p.i += 2
		x := p.expr()
		p.expectKw("as")
		t := p.typeName()
		p.expect(")")
		return prim(p.call(&ast.Cast{Pos: p.at(pos), Type: t}, pos, x)), true
	case "row":
		args := p.parenArgs()
		e := prim(p.call(&ast.RowExpr{Pos: p.at(pos), Elems: make([]ast.Expr, len(args))}, pos, args...))
		e.row = true
		return e, true
	case "coalesce", "greatest", "least", "nullif", "grouping":
		args := p.parenArgs()
		if len(args) == 0 || c.val == "nullif" && len(args) != 2 {
			p.i--
			p.fail()
		}
		return p.keyed(c.val, pos, args...), true
	case "extract":
		return p.extract(pos), true
	case "position":
		p.i += 2
		a := p.parse(0, true)
		p.expectKw("in")
		b := p.parse(0, true)
		p.expect(")")
		return p.keyed("position", pos, b.frag, a.frag), true
	case "overlay":
		return p.overlay(pos), true
	case "substring":
		return p.substring(pos), true
	case "trim":
		return p.trim(pos), true
	case "normalize":
		p.i += 2
		args := []frag{p.expr()}
		if p.acceptPunct(",") {
			f := p.cur()
			if !f.is("nfc") && !f.is("nfd") && !f.is("nfkc") && !f.is("nfkd") {
				p.fail()
			}
			p.i++
			args = append(args, p.str(strings.ToUpper(f.val), f.pos))
		}
		p.expect(")")
		return p.keyed("normalize", pos, args...), true
	case "xmlconcat", "xmlelement", "xmlforest", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable", "xmlexists":
		p.refuse(pos, "XML")
		p.i++
		p.skipParens()
		return operand{frag: p.t("NULL", pos), prim: true}, true
	}
	return operand{}, false
}

// parenArgs reads name ( expr, … ) and gives the expressions.
func (p *reader) parenArgs() []frag {
	p.i++
	p.expect("(")
	var args []frag
	if !p.punct(")") {
		args = p.exprList()
	}
	p.expect(")")
	return args
}

// skipParens passes over a balanced ( … ).
func (p *reader) skipParens() {
	end := p.match[p.i]
	if end == 0 {
		p.i = len(p.toks) - 1
		p.fail()
	}
	p.i = int(end) + 1
}

func (p *reader) extract(pos int32) operand {
	p.i += 2
	f := p.cur()
	switch {
	case f.kind == tIdent && f.kw == 0, f.kind == tQuoted, f.kind == tString:
	case f.is("year"), f.is("month"), f.is("day"), f.is("hour"), f.is("minute"), f.is("second"):
	default:
		p.fail()
	}
	p.i++
	p.expectKw("from")
	x := p.expr()
	p.expect(")")
	return p.keyed("extract", pos, p.str(f.val, f.pos), x)
}

func (p *reader) overlay(pos int32) operand {
	args := []frag{}
	if c := p.peek(2); c.punct(")") || p.peek(3).punct("=>") || p.peek(3).punct(":=") {
		p.i++
		return p.funcCall([]string{"overlay"}, pos)
	}
	p.i += 2
	args = append(args, p.expr())
	if p.accept("placing") {
		args = append(args, p.expr())
		p.expectKw("from")
		args = append(args, p.expr())
		if p.accept("for") {
			args = append(args, p.expr())
		}
	} else {
		for p.acceptPunct(",") {
			args = append(args, p.expr())
		}
	}
	p.expect(")")
	return p.keyed("overlay", pos, args...)
}

func (p *reader) substring(pos int32) operand {
	if c := p.peek(2); c.punct(")") || p.peek(3).punct("=>") || p.peek(3).punct(":=") {
		p.i++
		return p.funcCall([]string{"substring"}, pos)
	}
	p.i += 2
	outer := p.inSubstring
	p.inSubstring = true
	args := []frag{p.expr()}
	p.inSubstring = outer
	switch {
	case p.accept("from"):
		args = append(args, p.expr())
		if p.accept("for") {
			args = append(args, p.expr())
		}
	case p.accept("for"):
		n := p.expr()
		if p.accept("from") {
			args = append(args, p.expr(), n)
			break
		}
		// the standard wants an error for a length that is no integer
		t := named("int4")
		t.Pos = p.at(pos)
		args = append(args, p.t("1", pos), p.call(&ast.Cast{Pos: p.at(pos), Type: t}, pos, n))
	case p.accept("similar"):
		args = append(args, p.expr())
		p.expectKw("escape")
		args = append(args, p.expr())
	default:
		for p.acceptPunct(",") {
			args = append(args, p.expr())
		}
	}
	p.expect(")")
	return p.keyed("substring", pos, args...)
}

func (p *reader) trim(pos int32) operand {
	p.i += 2
	name := "btrim"
	switch {
	case p.accept("leading"):
		name = "ltrim"
	case p.accept("trailing"):
		name = "rtrim"
	default:
		p.accept("both")
	}
	var args []frag
	if p.accept("from") {
		args = p.exprList()
	} else {
		a := p.expr()
		if p.accept("from") {
			args = append(p.exprList(), a)
		} else {
			args = []frag{a}
			for p.acceptPunct(",") {
				args = append(args, p.expr())
			}
		}
	}
	p.expect(")")
	return p.keyed(name, pos, args...)
}
