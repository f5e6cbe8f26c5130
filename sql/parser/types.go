package parser

import (
	"strconv"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

var keywordTypes = map[string]string{
	"int": "int4", "integer": "int4", "smallint": "int2", "bigint": "int8", "real": "float4", "boolean": "bool",
	"decimal": "numeric", "dec": "numeric", "numeric": "numeric",
}

// typeName reads a Typename.
func (p *reader) typeName() ast.TypeName {
	pos := p.here()
	setof := p.accept("setof")
	t := p.simpleType()
	t.Pos, t.SetOf = pos, setof
	if p.accept("array") {
		t.Array = 1
		if p.acceptPunct("[") {
			p.expectInt()
			p.expect("]")
		}
		return t
	}
	for p.acceptPunct("[") {
		t.Array++
		if p.cur().kind == tInt {
			p.i++
		}
		p.expect("]")
	}
	return t
}

// typeMods reads an optional ( constant, … ) of a type.
func (p *reader) typeMods() []ast.Expr {
	if !p.acceptPunct("(") {
		return nil
	}
	var mods []ast.Expr
	for {
		c := &ast.Const{Pos: p.here()}
		if p.op("-") && (p.peek(1).kind == tInt || p.peek(1).kind == tNum) {
			p.i++
			c.Text = "-"
		}
		switch t, n := p.cur(), p.peek(1); {
		case !n.punct(",") && !n.punct(")"):
			p.refuse(t.pos, "an expression as a type modifier")
			p.expr()
			p.i--
		case t.kind == tInt:
			c.Kind, c.Text = ast.IntegerConst, c.Text+t.val
		case t.kind == tNum:
			c.Kind, c.Text = ast.NumericConst, c.Text+t.val
		case t.kind == tString || t.colID():
			c.Kind, c.Text = ast.StringConst, t.val
		default:
			p.fail()
		}
		p.i++
		mods = append(mods, c)
		if !p.acceptPunct(",") {
			p.expect(")")
			return mods
		}
	}
}

// typeKeyword says whether the token begins a type that the grammar spells out.
func (t *token) typeKeyword() bool {
	if t.kind != tIdent || t.kw != kwC {
		return false
	}
	switch t.val {
	case "int", "integer", "smallint", "bigint", "real", "boolean", "float", "decimal", "dec", "numeric", "bit",
		"character", "char", "varchar", "national", "nchar", "nchar'", "timestamp", "time", "interval":
		return true
	}
	return false
}

func named(name string, mods ...ast.Expr) ast.TypeName {
	return ast.TypeName{Name: []string{name}, Mods: mods}
}

// intMod reads ( digits ).
func (p *reader) intMod() *ast.Const {
	p.expect("(")
	c := &ast.Const{Pos: p.here(), Kind: ast.IntegerConst, Text: p.expectInt()}
	p.expect(")")
	return c
}

func (p *reader) simpleType() ast.TypeName {
	c := p.cur()
	if c.typeKeyword() {
		p.i++
		return p.keywordType(c)
	}
	if c.is("double") && p.kwAt(1, "precision") {
		p.i += 2
		return named("float8")
	}
	if !c.typeFuncName() {
		p.fail()
	}
	p.i++
	names := []string{c.val}
	for p.acceptPunct(".") {
		names = append(names, p.colLabel())
	}
	if p.op("%") && p.kwAt(1, "type") {
		p.refuse(c.pos, "%TYPE")
		p.i += 2
	}
	return ast.TypeName{Name: names, Mods: p.typeMods()}
}

// keywordType reads the rest of a type that begins with the keyword c.
func (p *reader) keywordType(c *token) ast.TypeName {
	switch c.val {
	case "float":
		return p.floatType()
	case "bit":
		if p.accept("varying") {
			return named("varbit", p.typeMods()...)
		}
		if m := p.typeMods(); m != nil {
			return named("bit", m...)
		}
		return named("bit", p.one(c))
	case "national":
		if !p.kw("char") && !p.kw("character") {
			p.fail()
		}
		p.i++
		return p.charType(c, "char")
	case "nchar'":
		return named("bpchar")
	case "character", "char", "nchar", "varchar":
		return p.charType(c, c.val)
	case "timestamp", "time":
		return p.timeType(c.val)
	case "interval":
		t := named("interval")
		p.intervalQual(&t, p.punct("("))
		return t
	case "decimal", "dec", "numeric":
		return named("numeric", p.typeMods()...)
	}
	return named(keywordTypes[c.val])
}

func (p *reader) one(c *token) *ast.Const {
	return &ast.Const{Pos: p.at(c.pos), Kind: ast.IntegerConst, Text: "1"}
}

func (p *reader) floatType() ast.TypeName {
	if !p.punct("(") {
		return named("float8")
	}
	pos := p.peek(1).pos
	n, err := strconv.Atoi(p.intMod().Text)
	switch {
	case err != nil || n > 53:
		p.raise(pos, pgerr.InvalidParameterValue, "precision for type float must be less than 54 bits")
	case n < 1:
		p.raise(pos, pgerr.InvalidParameterValue, "precision for type float must be at least 1 bit")
	case n <= 24:
		return named("float4")
	}
	return named("float8")
}

func (p *reader) charType(c *token, word string) ast.TypeName {
	name := "bpchar"
	if word == "varchar" || p.accept("varying") {
		name = "varchar"
	}
	switch {
	case p.punct("("):
		return named(name, p.intMod())
	case name == "bpchar":
		return named(name, p.one(c))
	}
	return named(name)
}

func (p *reader) timeType(name string) ast.TypeName {
	t := named(name)
	if p.punct("(") {
		t.Mods = []ast.Expr{p.intMod()}
	}
	if p.accept("without") {
		p.expectKw("time", "zone")
	} else if p.kw("with") && p.kwAt(1, "time") {
		t.Name[0] += "tz"
		p.expectKw("with", "time", "zone")
	}
	return t
}

// intervalTo lists which fields may follow TO after a field.
var intervalTo = map[string][]string{
	"year": {"month"}, "month": nil, "day": {"hour", "minute", "second"},
	"hour": {"minute", "second"}, "minute": {"second"}, "second": nil,
}

// intervalQual reads (p), or fields such as DAY TO SECOND(p), after INTERVAL.
func (p *reader) intervalQual(t *ast.TypeName, precision bool) {
	if precision {
		t.Mods = []ast.Expr{p.intMod()}
		return
	}
	c := p.cur()
	ends, ok := intervalTo[c.val]
	if !ok || c.kind != tIdent {
		return
	}
	p.i++
	t.Fields = c.val
	last := c.val
	if p.kw("to") {
		p.i++
		last = ""
		for _, e := range ends {
			if p.kw(e) {
				last = e
			}
		}
		if last == "" {
			p.fail()
		}
		p.i++
		t.Fields += " to " + last
	}
	if last == "second" && p.punct("(") {
		t.Mods = []ast.Expr{p.intMod()}
	}
}
