package parser

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// Binding powers, low to high: gram.y's precedence list.
const (
	bpOr = iota + 1
	bpAnd
	bpNot
	bpIs
	bpCmp
	bpLike
	bpEscape
	bpOp
	bpAdd
	bpMul
	bpPow
	bpAt
	bpCollate
	bpNeg
)

// An operand is an expression's text for TiDB; prim says that TiDB reads it as
// one simple expression as it stands, lit that it is a literal and which.
type operand struct {
	frag
	prim bool
	lit  tokenKind
	row  bool // ROW(…) or (a, b)
}

func prim(f frag) operand { return operand{frag: f, prim: true} }

func (p *reader) wrap(e operand, pos int32) frag {
	if e.prim {
		return e.frag
	}
	return p.paren(e.frag, pos)
}

func (p *reader) expr() frag { return p.parse(0, false).frag }

func (p *reader) exprList() []frag {
	fs := []frag{p.expr()}
	for p.acceptPunct(",") {
		fs = append(fs, p.expr())
	}
	return fs
}

// native emits an operator that MySQL shares. The left operand's parenthesis
// stands first, so that it answers for the operator's position.
func (p *reader) native(l operand, op string, r operand, pos int32) operand {
	return operand{frag: p.cat(p.paren(l.frag, pos), p.t(op, pos), p.wrap(r, pos))}
}

func comparison(op string) bool {
	switch op {
	case "<", ">", "=", "<=", ">=", "<>":
		return true
	}
	return false
}

func opPower(op string) int {
	switch {
	case comparison(op):
		return bpCmp
	case op == "+" || op == "-":
		return bpAdd
	case op == "*" || op == "/" || op == "%":
		return bpMul
	case op == "^":
		return bpPow
	}
	return bpOp
}

// parse climbs the precedences of PostgreSQL's a_expr, or of b_expr.
func (p *reader) parse(min int, bOnly bool) operand {
	p.enter()
	outer, target := p.height, p.target
	p.height = 0
	if min == 0 {
		p.target, p.asTarget = p.asTarget, false
	}
	l := p.prefix(bOnly)
	h := p.grow(0)
	nonassoc := 0 // the level of the last non-associative operator
	for {
		p.height = 0
		more := false
		if l, nonassoc, more = p.infix(l, min, nonassoc, bOnly); !more {
			break
		}
		h = p.grow(h)
	}
	p.height, p.target = max(outer, h), target
	p.leave()
	return l
}

// infix reads one operator after l; more is false if none of power min follows.
func (p *reader) infix(l operand, min, nonassoc int, bOnly bool) (_ operand, level int, more bool) {
	c := p.cur()
	switch c.kind {
	case tOp:
		bp := opPower(c.val)
		if bp < min {
			return l, nonassoc, false
		}
		if bp == bpCmp && nonassoc == bpCmp {
			p.fail()
		}
		p.i++
		if !bOnly && p.quantifierAhead() {
			return p.quantified(l, c.val, c.pos), 0, true
		}
		r := p.parse(bp+1, bOnly)
		if bp != bpCmp {
			return p.binary(l, c.val, r, c.pos), 0, true
		}
		return p.binary(l, c.val, r, c.pos), bpCmp, true
	case tPunct:
		if c.val != "::" {
			return l, nonassoc, false
		}
		p.i++
		return prim(p.call(&ast.Cast{Pos: p.at(c.pos), Type: p.typeName()}, c.pos, l.frag)), 0, true
	case tIdent:
		bp, half := p.wordPower(c)
		if bp == 0 || bp < min || bOnly && !p.bOperator() || c.val == "overlaps" && !l.row {
			return l, nonassoc, false
		}
		if c.val != "isnull" && c.val != "notnull" && c.val != "overlaps" && min == 0 && p.target && p.peek(1).endsTarget() {
			return l, nonassoc, false // the word is a label
		}
		if half {
			p.failNext()
		}
		if nonassoc == bp && (bp == bpLike || bp == bpIs) {
			p.fail()
		}
		l, level = p.wordOp(l, bOnly)
		return l, level, true
	}
	return l, nonassoc, false
}

func (p *reader) binary(l operand, op string, r operand, pos int32) operand {
	switch op {
	case "<", ">", "=", "<=", ">=", "<>", "+", "-", "*", "/", "%":
		return p.native(l, op, r, pos)
	}
	return prim(p.call(&ast.Op{Pos: p.at(pos), Name: op}, pos, l.frag, r.frag))
}

// wordPower gives the power of an operator spelled as a word, 0 if it is none
// here; half says that the word after it is missing.
func (p *reader) wordPower(c *token) (bp int, half bool) {
	if c.kw == 0 {
		return 0, false
	}
	switch c.val {
	case "or":
		return bpOr, false
	case "and":
		return bpAnd, false
	case "is", "isnull", "notnull":
		return bpIs, false
	case "between", "in", "like", "ilike":
		return bpLike, false
	case "similar":
		if to := p.kwAt(1, "to"); to || !p.inSubstring {
			return bpLike, !to
		}
	case "not":
		switch n := p.peek(1); {
		case n.is("between"), n.is("in"), n.is("like"), n.is("ilike"), n.is("similar"):
			return bpLike, false
		}
	case "operator":
		return bpOp, !p.punctAt(1, "(")
	case "at":
		return bpAt, !p.kwAt(1, "time")
	case "collate":
		return bpCollate, false
	case "overlaps":
		return bpOp, false
	}
	return 0, false
}

// bOperator says whether the word operator at hand belongs to b_expr.
func (p *reader) bOperator() bool {
	n := 1
	if p.kwAt(1, "not") {
		n = 2
	}
	return p.kw("operator") || p.kw("is") && (p.kwAt(n, "distinct") || p.kwAt(n, "document"))
}

func (p *reader) wordOp(l operand, bOnly bool) (operand, int) {
	pos := p.pos()
	not := p.accept("not")
	w := p.cur().val
	p.i++
	switch w {
	case "or":
		return p.chain(l, ast.Or, "or", bpOr, pos), 0
	case "and":
		return p.chain(l, ast.And, "and", bpAnd, pos), 0
	case "isnull":
		return operand{frag: p.cat(p.paren(l.frag, pos), p.t("IS NULL", pos))}, 0
	case "notnull":
		return operand{frag: p.cat(p.paren(l.frag, pos), p.t("IS NOT NULL", pos))}, 0
	case "is":
		return p.isTest(l, pos, bOnly)
	case "between":
		return p.between(l, not, pos), bpLike
	case "in":
		return p.in(l, not, pos), 0
	case "like", "ilike", "similar":
		return p.like(l, w, not, pos)
	case "operator":
		schema, op := p.operatorName()
		if !bOnly && p.quantifierAhead() {
			if schema != "" && schema != "pg_catalog" {
				p.refuse(pos, "a qualified operator with ANY or ALL")
			}
			return p.quantified(l, op, pos), 0
		}
		r := p.parse(bpOp+1, bOnly)
		return prim(p.call(&ast.Op{Pos: p.at(pos), Schema: schema, Name: op}, pos, l.frag, r.frag)), 0
	case "at":
		p.expectKw("time", "zone")
		r := p.parse(bpAt+1, false)
		return prim(p.call(&ast.Call{Pos: p.at(pos), Name: []string{"timezone"}, Args: make([]ast.Expr, 2)}, pos, r.frag, l.frag)), 0
	case "collate":
		return prim(p.call(&ast.Collate{Pos: p.at(pos), Name: p.qualified()}, pos, l.frag)), 0
	}
	// overlaps
	if !p.punct("(") && !p.kw("row") {
		p.fail()
	}
	r := p.parse(bpOp+1, false)
	return prim(p.call(&ast.Call{Pos: p.at(pos), Name: []string{"overlaps"}, Args: make([]ast.Expr, 2)}, pos, l.frag, r.frag)), 0
}

// nativeChain is the longest AND or OR that TiDB builds as its own left-deep tree;
// a longer one is carried flat, for its visitors recurse.
const nativeChain = 32

// chain reads the rest of l AND x AND …; the height grows by one for all of it.
func (p *reader) chain(l operand, kind ast.LogicKind, word string, bp int, pos int32) operand {
	args := []frag{l.frag}
	h := int32(0)
	for {
		p.height = 0
		args = append(args, p.parse(bp+1, false).frag)
		h = max(h, p.height)
		if !p.accept(word) {
			break
		}
	}
	p.height = h
	if len(args) > nativeChain {
		return prim(p.call(&ast.Logic{Pos: p.at(pos), Kind: kind, Args: make([]ast.Expr, len(args))}, pos, args...))
	}
	f := p.paren(args[0], pos)
	for _, a := range args[1:] {
		f = p.cat(f, p.t(strings.ToUpper(word), pos), p.paren(a, pos))
	}
	return operand{frag: f}
}

func (p *reader) isTest(l operand, pos int32, bOnly bool) (operand, int) {
	not, s := p.accept("not"), "IS "
	if not {
		s = "IS NOT "
	}
	c := p.cur()
	if c.kind != tIdent {
		p.fail()
	}
	switch c.val {
	case "null", "true", "false":
		if bOnly {
			p.fail()
		}
		p.i++
		return operand{frag: p.cat(p.paren(l.frag, pos), p.t(s+strings.ToUpper(c.val), pos))}, 0
	case "unknown":
		if bOnly {
			p.fail()
		}
		p.i++
		n := &ast.Test{Pos: p.at(pos), Kind: ast.IsUnknown}
		if not {
			n.Kind = ast.IsNotUnknown
		}
		return prim(p.call(n, pos, l.frag)), 0
	case "distinct":
		p.i++
		p.expectKw("from")
		r := p.parse(bpIs+1, bOnly)
		return prim(p.call(&ast.Distinct{Pos: p.at(pos), Not: not}, pos, l.frag, r.frag)), bpIs
	case "document":
		p.refuse(pos, "IS DOCUMENT")
		p.i++
		return l, 0
	case "normalized", "nfc", "nfd", "nfkc", "nfkd":
		p.i++
		n := &ast.Call{Pos: p.at(pos), Name: []string{"is_normalized"}, Args: make([]ast.Expr, 1)}
		parts := []frag{l.frag}
		if c.val != "normalized" {
			p.expectKw("normalized")
			n.Args = make([]ast.Expr, 2)
			parts = append(parts, p.str(strings.ToUpper(c.val), c.pos))
		}
		f := p.call(n, pos, parts...)
		if not {
			return operand{frag: p.cat(p.t("NOT", pos), f)}, 0
		}
		return prim(f), 0
	}
	p.fail()
	return l, 0
}

func (p *reader) between(l operand, not bool, pos int32) operand {
	symmetric := p.accept("symmetric")
	if !symmetric {
		p.accept("asymmetric")
	}
	low := p.parse(0, true)
	p.expectKw("and")
	high := p.parse(bpLike+1, false)
	if symmetric {
		return prim(p.call(&ast.Between{Pos: p.at(pos), Not: not, Symmetric: true}, pos, l.frag, low.frag, high.frag))
	}
	word := "BETWEEN"
	if not {
		word = "NOT BETWEEN"
	}
	return operand{frag: p.cat(p.paren(l.frag, pos), p.t(word, pos), p.paren(low.frag, pos), p.t("AND", pos), p.paren(high.frag, pos))}
}

func (p *reader) in(l operand, not bool, pos int32) operand {
	word := "IN"
	if not {
		word = "NOT IN"
	}
	var list frag
	if p.queryAhead() {
		list = p.parenQuery(pos)
	} else {
		lp := p.expect("(")
		list = p.paren(p.list(lp, p.exprList()), lp)
		p.expect(")")
	}
	return operand{frag: p.cat(p.paren(l.frag, pos), p.t(word, pos), list)}
}

func (p *reader) like(l operand, w string, not bool, pos int32) (operand, int) {
	kind := map[string]ast.LikeKind{"like": ast.Like, "ilike": ast.ILike, "similar": ast.SimilarTo}[w]
	if kind == ast.SimilarTo {
		p.expectKw("to")
	} else if p.quantifierAhead() {
		op := map[ast.LikeKind]string{ast.Like: "~~", ast.ILike: "~~*"}[kind]
		if not {
			op = "!" + op
		}
		return p.quantified(l, op, pos), 0
	}
	r := p.parse(bpLike+1, false)
	parts := []frag{l.frag, r.frag}
	if p.accept("escape") {
		parts = append(parts, p.parse(bpLike+1, false).frag)
	}
	if kind == ast.SimilarTo || len(parts) > 2 {
		return prim(p.call(&ast.LikeExpr{Pos: p.at(pos), Kind: kind, Not: not}, pos, parts...)), bpLike
	}
	word := strings.ToUpper(w)
	if not {
		word = "NOT " + word
	}
	return operand{frag: p.cat(p.paren(l.frag, pos), p.t(word, pos), p.wrap(r, pos))}, bpLike
}

// operatorName reads ( [schema.]op ) after OPERATOR.
func (p *reader) operatorName() (schema, op string) {
	p.expect("(")
	for p.cur().colID() {
		schema = p.colID()
		p.expect(".")
	}
	if p.cur().kind != tOp {
		p.fail()
	}
	op = p.cur().val
	p.i++
	p.expect(")")
	return schema, op
}

func (p *reader) quantifierAhead() bool {
	if !p.kw("any") && !p.kw("some") && !p.kw("all") {
		return false
	}
	if !p.punctAt(1, "(") {
		p.failNext()
	}
	return true
}

// endsTarget says whether nothing that begins with the token can continue an
// expression: then the word before it is a label, even if it is an operator.
func (t *token) endsTarget() bool {
	if t.ends() || t.punct(",") || t.punct(")") || t.queryTail() {
		return true
	}
	if t.kind != tIdent || t.kw != kwR {
		return false
	}
	switch t.val {
	case "from", "where", "group", "having", "window", "into":
		return true
	}
	return false
}

// quantified reads l op ANY | ALL (…); the current token is the quantifier.
func (p *reader) quantified(l operand, op string, pos int32) operand {
	all := p.accept("all")
	if !all {
		p.i++
	}
	if !p.queryAhead() {
		p.expect("(")
		a := p.expr()
		p.expect(")")
		return prim(p.call(&ast.AnyArray{Pos: p.at(pos), All: all, Op: op}, pos, l.frag, a))
	}
	q := p.parenQuery(pos)
	word, kind := " ANY", ast.AnySubquery
	if all {
		word, kind = " ALL", ast.AllSubquery
	}
	if comparison(op) {
		return operand{frag: p.cat(p.paren(l.frag, pos), p.t(op+word, pos), q)}
	}
	return prim(p.call(&ast.Subquery{Pos: p.at(pos), Kind: kind, Op: op}, pos, l.frag, q))
}

func (p *reader) prefix(bOnly bool) operand {
	c := p.cur()
	switch {
	case c.kind == tOp:
		switch c.val {
		case "-", "+":
			p.i++
			r := p.parse(bpNeg, bOnly)
			return operand{frag: p.cat(p.t(c.val, c.pos), p.paren(r.frag, c.pos))}
		case "*", "/", "<", ">", "=", "<=", ">=", "<>", "%", "^":
			p.fail()
		}
		p.i++
		r := p.parse(bpOp+1, bOnly)
		return prim(p.call(&ast.Op{Pos: p.at(c.pos), Name: c.val}, c.pos, r.frag))
	case c.is("not") && !bOnly:
		p.i++
		r := p.parse(bpNot, false)
		return operand{frag: p.cat(p.t("NOT", c.pos), p.paren(r.frag, c.pos))}
	case c.is("operator") && p.punctAt(1, "("):
		p.i++
		schema, op := p.operatorName()
		r := p.parse(bpOp+1, bOnly)
		return prim(p.call(&ast.Op{Pos: p.at(c.pos), Schema: schema, Name: op}, c.pos, r.frag))
	case c.is("default") && !bOnly:
		p.i++
		return prim(p.call(&ast.Default{Pos: p.at(c.pos)}, c.pos))
	}
	return p.primary()
}

// indirection reads [i], [a:b], .field and .* after a column, a parameter or a
// parenthesised expression.
func (p *reader) indirection(e operand) operand {
	for {
		pos := p.pos()
		switch {
		case p.acceptPunct("["):
			e = prim(p.subscript(e, pos))
		case p.acceptPunct("."):
			n := &ast.FieldSelect{Pos: p.at(pos)}
			if p.op("*") {
				p.i++
				n.Star = true
			} else {
				n.Name = p.colLabel()
			}
			e = prim(p.call(n, pos, e.frag))
			if n.Star {
				return e
			}
		default:
			return e
		}
		if p.height++; p.height > maxHeight {
			p.tooDeep()
		}
	}
}

// missing stands for an absent bound of a slice until it is decoded.
var missing ast.Expr = &ast.Default{}

func (p *reader) subscript(e operand, pos int32) frag {
	n := &ast.Subscript{Pos: p.at(pos)}
	parts := []frag{e.frag}
	if p.punct(":") {
		n.Slice = true
	} else {
		n.Low = missing
		parts = append(parts, p.expr())
	}
	if p.acceptPunct(":") {
		n.Slice = true
		if !p.punct("]") {
			n.High = missing
			parts = append(parts, p.expr())
		}
	}
	p.expect("]")
	return p.call(n, pos, parts...)
}

// queryAhead says whether the "(" at hand encloses a query, as opposed to an
// expression that merely begins with one. It looks only at what follows the
// closing parentheses, so that nothing is ever read twice.
func (p *reader) queryAhead() bool {
	if !p.punct("(") {
		return false
	}
	j := p.i
	for p.toks[j].punct("(") {
		j++
	}
	if !p.toks[j].queryStart() || p.toks[j].is("values") && !p.toks[j+1].punct("(") {
		return false
	}
	for j--; j > p.i; j-- {
		end := p.match[j]
		if end == 0 {
			return true // the error will be found inside
		}
		if n := &p.toks[end+1]; !n.punct(")") && !n.queryTail() {
			return false
		}
	}
	return true
}

func (t *token) queryStart() bool {
	return t.kind == tIdent && t.kw != 0 && (t.val == "select" || t.val == "with" || t.val == "table" || t.val == "values")
}

// queryTail says whether the token can only continue a query.
func (t *token) queryTail() bool {
	if t.kind != tIdent || t.kw != kwR {
		return false
	}
	switch t.val {
	case "union", "except", "intersect", "order", "limit", "offset", "fetch", "for":
		return true
	}
	return false
}

// parenQuery reads ( query ) and emits it with its parentheses.
func (p *reader) parenQuery(pos int32) frag {
	p.expect("(")
	s := p.query()
	p.expect(")")
	return p.paren(p.emitQuery(s), pos)
}
