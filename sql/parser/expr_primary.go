package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

const maxParam = 65535

// constant emits a literal token.
func (p *reader) constant(c *token) (operand, bool) {
	var f frag
	switch c.kind {
	case tInt:
		v := strings.TrimLeft(c.val, "0")
		if v == "" {
			v = "0"
		}
		f = p.t(v, c.pos)
	case tNum:
		n := &ast.Const{Pos: p.at(c.pos), Kind: ast.IntegerConst, Text: c.val}
		if strings.ContainsAny(c.val, ".eE") {
			n.Kind = ast.NumericConst
		}
		f = p.call(n, c.pos)
	case tString:
		f = p.str(c.val, c.pos)
	case tBits:
		f = p.call(&ast.Const{Pos: p.at(c.pos), Kind: ast.BitConst, Text: c.val}, c.pos)
	default:
		return operand{}, false
	}
	return operand{frag: f, prim: true, lit: c.kind}, true
}

func (p *reader) primary() operand {
	c := p.cur()
	if e, ok := p.constant(c); ok {
		p.i++
		return e
	}
	switch c.kind {
	case tParam:
		p.i++
		return p.indirection(p.param(c))
	case tPunct:
		if c.val != "(" {
			p.fail()
		}
		if p.queryAhead() {
			return p.indirection(prim(p.parenQuery(c.pos)))
		}
		p.i++
		fs := p.exprList()
		p.expect(")")
		if len(fs) == 1 {
			return p.indirection(prim(p.paren(fs[0], c.pos)))
		}
		return operand{frag: p.paren(p.list(c.pos, fs), c.pos), prim: true, row: true}
	case tIdent:
		if c.kw != 0 {
			if e, ok := p.keywordPrimary(c); ok {
				return e
			}
		}
		if c.kw == kwR {
			p.fail()
		}
	case tQuoted:
	default:
		p.fail()
	}
	return p.nameExpr()
}

func (p *reader) param(c *token) operand {
	n := 0
	for _, d := range c.val {
		if n = n*10 + int(d-'0'); n > maxParam {
			p.raise(c.pos, pgerr.UndefinedParameter, "there is no parameter $%s", c.val)
		}
	}
	p.params = max(p.params, n)
	return operand{frag: p.t("?", c.pos), prim: true, lit: tParam}
}

// nameExpr reads a column reference, a function call, or a literal of a named type.
func (p *reader) nameExpr() operand {
	c := p.cur()
	p.i++
	parts := []string{c.val}
	star := false
	positions := []int32{c.pos}
	for p.punct(".") && (c.kind == tQuoted || c.kw != kwT) {
		p.i++
		if star = p.op("*"); star {
			p.i++
			break
		}
		positions = append(positions, p.pos())
		parts = append(parts, p.colLabel())
	}
	if star {
		return prim(p.call(&ast.ColumnRef{Pos: p.at(c.pos), Parts: parts, Star: true}, c.pos))
	}
	if len(parts) > 1 || c.kind == tQuoted || c.kw != kwC {
		if p.punct("(") {
			if p.typedLiteralAhead() {
				return p.typedLiteral(ast.TypeName{Pos: p.at(c.pos), Name: parts, Mods: p.typeMods()}, c.pos)
			}
			return p.funcCall(parts, c.pos)
		}
		if p.cur().kind == tString {
			return p.typedLiteral(ast.TypeName{Pos: p.at(c.pos), Name: parts}, c.pos)
		}
	}
	if c.kind == tIdent && c.kw == kwT {
		p.fail()
	}
	var f frag
	if len(parts) <= 3 {
		for k, s := range parts {
			if k > 0 {
				f = p.cat(f, p.t(".", positions[k]))
			}
			f = p.cat(f, p.ident(s, positions[k]))
		}
	} else {
		f = p.call(&ast.ColumnRef{Pos: p.at(c.pos), Parts: parts}, c.pos)
	}
	if p.punct("[") {
		return p.indirection(prim(f))
	}
	return prim(f)
}

// typedLiteralAhead says whether name(…) is a type with modifiers before a string.
func (p *reader) typedLiteralAhead() bool {
	end := p.match[p.i]
	if end == 0 || p.toks[end+1].kind != tString {
		return false
	}
	for j := p.i + 1; j < int(end); j++ {
		switch t := &p.toks[j]; {
		case t.kind == tInt, t.kind == tNum, t.kind == tString, t.colID(), t.punct(","), t.kind == tOp && t.val == "-":
		default:
			return false
		}
	}
	return int(end) > p.i+1
}

// typedLiteral reads the string of type 'string'.
func (p *reader) typedLiteral(t ast.TypeName, pos int32) operand {
	v := p.str(p.cur().val, p.pos())
	p.expectString()
	return prim(p.call(&ast.Cast{Pos: p.at(pos), Type: t}, pos, v))
}

// callParts is a call while it is read: the parts in the decoder's order.
type callParts struct {
	node *ast.Call
	args []frag
	rest []frag
}

// funcCall is at the "(" after a function's name.
func (p *reader) funcCall(parts []string, pos int32) operand {
	if len(parts) > 2 {
		p.refuse(pos, "a function name with a database part")
	}
	c := callParts{node: &ast.Call{Pos: p.at(pos), Name: parts}}
	p.expect("(")
	plain := true
	switch {
	case p.op("*"):
		p.i++
		c.node.Star, plain = true, false
	case p.punct(")"):
	default:
		plain = p.callArgs(&c)
	}
	p.expect(")")
	c.node.Args = make([]ast.Expr, len(c.args))
	if p.callTail(&c) || !plain || len(parts) > 2 {
		return p.emitCall(&c, pos)
	}
	name := backquote(parts[0])
	if len(parts) == 2 {
		name += "." + backquote(parts[1])
	}
	return prim(p.cat(p.t(name, pos), p.t("(", pos), p.list(pos, c.args), p.t(")", pos)))
}

// callArgs reads the arguments; plain is false if they need more than a list.
func (p *reader) callArgs(c *callParts) (plain bool) {
	plain = true
	if p.accept("distinct") {
		c.node.Distinct, plain = true, false
	} else if p.accept("all") {
		plain = false
	}
	for {
		t := p.cur()
		if p.accept("variadic") {
			c.node.Variadic, plain = true, false
		}
		name := ""
		if n := p.peek(1); n.punct("=>") || n.punct(":=") {
			if !p.cur().typeFuncName() {
				p.fail()
			}
			name, plain = p.cur().val, false
			p.i += 2
		} else if c.node.ArgNames != nil {
			p.object(t.pos, pgerr.SyntaxError, "positional argument cannot follow named argument")
		}
		if name != "" && c.node.ArgNames == nil {
			c.node.ArgNames = make([]string, len(c.args))
		}
		if c.node.ArgNames != nil {
			c.node.ArgNames = append(c.node.ArgNames, name)
		}
		c.args = append(c.args, p.expr())
		if c.node.Variadic || !p.acceptPunct(",") {
			break
		}
	}
	if p.accept("order") {
		p.expectKw("by")
		plain = false
		c.node.OrderBy, c.rest = p.sortList()
	}
	return plain
}

// callTail reads WITHIN GROUP, FILTER and OVER; it says whether there was any of the first two, or OVER.
func (p *reader) callTail(c *callParts) (more bool) {
	if p.kw("within") {
		pos := p.pos()
		if c.node.OrderBy != nil {
			p.raise(pos, pgerr.SyntaxError, "cannot use multiple ORDER BY clauses with WITHIN GROUP")
		}
		if c.node.Distinct {
			p.raise(pos, pgerr.SyntaxError, "cannot use DISTINCT with WITHIN GROUP")
		}
		if c.node.Variadic {
			p.raise(pos, pgerr.SyntaxError, "cannot use VARIADIC with WITHIN GROUP")
		}
		p.expectKw("within", "group")
		p.expect("(")
		p.expectKw("order", "by")
		c.node.Within, c.rest = p.sortList()
		p.expect(")")
		more = true
	}
	if p.accept("filter") {
		p.expect("(")
		p.expectKw("where")
		c.node.Filter = missing
		c.rest = append(c.rest, p.expr())
		p.expect(")")
		more = true
	}
	if p.kw("over") {
		if n := p.peek(1); !n.punct("(") && !n.colID() {
			p.failNext()
		}
		c.node.Over = &ast.Window{Pos: p.here()}
		more = true
	}
	return more
}

// emitCall emits a call with all that MySQL has no place for, and reads its OVER.
func (p *reader) emitCall(c *callParts, pos int32) operand {
	f := p.call(c.node, pos, append(c.args, c.rest...)...)
	w := c.node.Over
	if w == nil {
		return prim(f)
	}
	p.expectKw("over")
	var spec frag
	if p.punct("(") {
		spec = p.windowSpec(w)
	} else {
		np := p.pos()
		w.Name = p.colID()
		spec = p.ident(w.Name, np)
	}
	// FIRST_VALUE is the carrier: TiDB takes any expression in it
	return prim(p.cat(p.t("FIRST_VALUE (", pos), f, p.t(") OVER", pos), spec))
}

// byExpr reads an expression of ORDER BY, GROUP BY or PARTITION BY, where TiDB
// would read a bare literal as a position.
func (p *reader) byExpr() frag {
	pos := p.pos()
	e := p.parse(0, false)
	if e.lit != tEOF {
		return p.paren(e.frag, pos)
	}
	return e.frag
}

// sortList reads the items of an ORDER BY.
func (p *reader) sortList() ([]ast.SortBy, []frag) {
	var items []ast.SortBy
	var fs []frag
	for {
		var s ast.SortBy
		fs = append(fs, p.byExpr())
		switch {
		case p.accept("using"):
			if p.accept("operator") {
				_, s.Using = p.operatorName()
			} else {
				if p.cur().kind != tOp {
					p.fail()
				}
				s.Using = p.cur().val
				p.i++
			}
		case p.accept("desc"):
			s.Desc = true
		default:
			p.accept("asc")
		}
		if p.kw("nulls") && (p.kwAt(1, "first") || p.kwAt(1, "last")) {
			first := p.kwAt(1, "first")
			s.NullsFirst = &first
			p.i += 2
		}
		items = append(items, s)
		if !p.acceptPunct(",") {
			return items, fs
		}
	}
}

// windowSpec reads ( [name] [PARTITION BY] [ORDER BY] [frame] ) into w.
func (p *reader) windowSpec(w *ast.Window) frag {
	pos := p.expect("(")
	f := p.t("(", pos)
	if c := p.cur(); c.colID() && !(c.is("partition") || c.is("range") || c.is("rows") || c.is("groups")) {
		f = p.cat(f, p.ident(c.val, c.pos))
		w.Name = p.colID()
	}
	if p.accept("partition") {
		p.expectKw("by")
		fs := []frag{p.byExpr()}
		for p.acceptPunct(",") {
			fs = append(fs, p.byExpr())
		}
		w.PartitionBy = make([]ast.Expr, len(fs))
		f = p.cat(f, p.t("PARTITION BY", pos), p.list(pos, fs))
	}
	if p.accept("order") {
		p.expectKw("by")
		var fs []frag
		w.OrderBy, fs = p.sortList()
		f = p.cat(f, p.t("ORDER BY", pos), p.list(pos, fs))
	}
	if p.kw("range") || p.kw("rows") || p.kw("groups") {
		f = p.cat(f, p.frame(w))
	}
	rp := p.expect(")")
	return p.cat(f, p.t(")", rp))
}

func (p *reader) frame(w *ast.Window) frag {
	pos := p.pos()
	fr := &ast.Frame{Mode: p.cur().val}
	w.Frame = fr
	p.i++
	f := p.t(strings.ToUpper(fr.Mode), pos)
	if p.accept("between") {
		f = p.cat(f, p.t("BETWEEN", pos), p.frameBound(&fr.Start))
		p.expectKw("and")
		f = p.cat(f, p.t("AND", pos), p.frameBound(&fr.End))
	} else {
		f = p.cat(f, p.frameBound(&fr.Start))
		fr.End.Kind = "current row"
	}
	p.checkFrame(fr, pos)
	if p.accept("exclude") {
		switch {
		case p.accept("current"):
			p.expectKw("row")
			fr.Exclude = "current row"
		case p.kw("group"), p.kw("ties"):
			fr.Exclude = p.cur().val
			p.i++
		default:
			p.expectKw("no", "others")
		}
	}
	return f
}

// checkFrame refuses what gram.y refuses of a frame's ends.
func (p *reader) checkFrame(f *ast.Frame, pos int32) {
	s, e := f.Start.Kind, f.End.Kind
	switch {
	case s == "unbounded following":
		p.raise(pos, pgerr.WindowingError, "frame start cannot be UNBOUNDED FOLLOWING")
	case e == "unbounded preceding":
		p.raise(pos, pgerr.WindowingError, "frame end cannot be UNBOUNDED PRECEDING")
	case s == "current row" && e == "preceding":
		p.raise(pos, pgerr.WindowingError, "frame starting from current row cannot have preceding rows")
	case s == "following" && e == "preceding":
		p.raise(pos, pgerr.WindowingError, "frame starting from following row cannot have preceding rows")
	case s == "following" && e == "current row":
		p.raise(pos, pgerr.WindowingError, "frame starting from following row cannot end with current row")
	}
}

func (p *reader) frameBound(b *ast.Bound) frag {
	pos := p.pos()
	direction := func() string {
		if !p.kw("preceding") && !p.kw("following") {
			p.fail()
		}
		p.i++
		return p.toks[p.i-1].val
	}
	switch {
	case p.kw("current") && p.kwAt(1, "row"):
		p.i += 2
		b.Kind = "current row"
		return p.t("CURRENT ROW", pos)
	case p.kw("unbounded") && (p.kwAt(1, "preceding") || p.kwAt(1, "following")):
		p.i++
		b.Kind = "unbounded " + direction()
		return p.t(strings.ToUpper(b.Kind), pos)
	}
	e := p.expr()
	b.Kind = direction()
	b.Offset = missing
	// INTERVAL … DAY is TiDB's only frame bound that takes any expression
	return p.cat(p.t("INTERVAL", pos), p.paren(e, pos), p.t("DAY "+strings.ToUpper(b.Kind), pos))
}
