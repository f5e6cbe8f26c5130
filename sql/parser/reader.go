package parser

import (
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A reader reads a string's statements in one pass over its tokens. Syntax
// errors and precedence are decided here; what it reads of queries and
// expressions it emits as text for TiDB's grammar.
type reader struct {
	lexer
	i     int
	first int32   // the byte at which the current statement begins
	chars []int32 // byte to character index; nil for ASCII text
	// pieces is the text for TiDB, notes the half-built nodes behind its
	// reserved names, holes what is to be filled from TiDB's tree.
	pieces []piece
	notes  []any
	holes  []hole
	params int
	// unsup is the first construct that is valid and not supported; a later
	// syntax error still comes first.
	unsup  *pgerr.Error
	depth  int
	height int32 // of the expressions read since it was last cleared
	// target is set while a word after the expression may be its label; asTarget
	// sets it for the next expression.
	target, asTarget bool
	inSubstring      bool // SIMILAR may end the expression
}

// start resets the reader for src, which is valid UTF-8 without NUL.
func (p *reader) start(src string) {
	p.lex(src)
	p.i, p.first, p.chars = 0, 0, nil
	for i := 0; i < len(src); i++ {
		if src[i] >= 0x80 {
			p.chars = charIndex(src)
			break
		}
	}
}

func charIndex(src string) []int32 {
	out := make([]int32, len(src)+1)
	n := int32(-1)
	for i := 0; i < len(src); i++ {
		if src[i]&0xC0 != 0x80 {
			n++
		}
		out[i] = n
	}
	out[len(src)] = n + 1
	return out
}

// char gives the number of characters before byte pos.
func (p *reader) char(pos int32) int {
	if p.chars != nil {
		return int(p.chars[pos])
	}
	return int(pos)
}

// at gives the position of a byte within the current statement.
func (p *reader) at(pos int32) ast.Pos { return ast.Pos(p.char(pos) - p.char(p.first) + 1) }

func (p *reader) cur() *token       { return &p.toks[p.i] }
func (p *reader) peek(n int) *token { return &p.toks[min(p.i+n, len(p.toks)-1)] }
func (p *reader) pos() int32        { return p.toks[p.i].pos }
func (p *reader) here() ast.Pos     { return p.at(p.toks[p.i].pos) }

func (t *token) is(w string) bool    { return t.kind == tIdent && t.val == w }
func (t *token) punct(s string) bool { return t.kind == tPunct && t.val == s }
func (t *token) ends() bool          { return t.kind == tEOF || t.kind == tPunct && t.val == ";" }

func (p *reader) kw(w string) bool             { return p.cur().is(w) }
func (p *reader) kwAt(n int, w string) bool    { return p.peek(n).is(w) }
func (p *reader) punct(s string) bool          { return p.cur().punct(s) }
func (p *reader) punctAt(n int, s string) bool { return p.peek(n).punct(s) }
func (p *reader) op(s string) bool             { c := p.cur(); return c.kind == tOp && c.val == s }
func (p *reader) atEnd() bool                  { return p.cur().ends() }

// raise ends the reading with an error at a byte of the whole string.
func (p *reader) raise(pos int32, code pgerr.Code, format string, args ...any) {
	panic(pgerr.Newf(code, format, args...).At(p.char(pos) + 1))
}

// fail raises PostgreSQL's syntax error at the current token.
func (p *reader) fail() {
	switch c := p.cur(); c.kind {
	case tBad:
		e := *p.err
		panic(e.At(p.char(c.pos) + 1))
	case tEOF:
		p.raise(c.pos, pgerr.SyntaxError, "syntax error at end of input")
	default:
		p.raise(c.pos, pgerr.SyntaxError, "syntax error at or near \"%s\"", p.src[c.pos:c.end])
	}
}

// failNext raises the error at the token after the current one.
func (p *reader) failNext() {
	if p.i+1 < len(p.toks) {
		p.i++
	}
	p.fail()
}

// refuse notes a valid construct that is not supported.
func (p *reader) refuse(pos int32, feature string) {
	if p.unsup == nil {
		p.unsup = pgerr.Unsupported(p.char(pos)+1, "%s", feature)
	}
}

// object notes an error that PostgreSQL finds only after the grammar.
func (p *reader) object(pos int32, code pgerr.Code, message string) {
	if p.unsup == nil {
		p.unsup = pgerr.Newf(code, "%s", message).At(p.char(pos) + 1)
	}
}

// enter and leave bound the nesting of productions.
func (p *reader) enter() {
	if p.depth++; p.depth > 4*maxNesting {
		p.tooDeep()
	}
}

func (p *reader) leave() { p.depth-- }

func (p *reader) tooDeep() { p.raise(p.pos(), pgerr.StatementTooComplex, "stack depth limit exceeded") }

// grow bounds the height of what a loop builds on its left.
func (p *reader) grow(h int32) int32 {
	if h = max(h, p.height) + 1; h > maxHeight {
		p.tooDeep()
	}
	return h
}

func (p *reader) expect(s string) int32 {
	if !p.punct(s) {
		p.fail()
	}
	p.i++
	return p.toks[p.i-1].pos
}

func (p *reader) expectOp(s string) {
	if !p.op(s) {
		p.fail()
	}
	p.i++
}

func (p *reader) expectKw(words ...string) {
	for _, w := range words {
		if !p.kw(w) {
			p.fail()
		}
		p.i++
	}
}

func (p *reader) accept(w string) bool {
	if p.kw(w) {
		p.i++
		return true
	}
	return false
}

func (p *reader) acceptPunct(s string) bool {
	if p.punct(s) {
		p.i++
		return true
	}
	return false
}

// PostgreSQL's ColId, type_function_name, ColLabel and BareColLabel.
func (t *token) colID() bool {
	return t.kind == tQuoted || t.kind == tIdent && (t.kw == 0 || t.kw == kwU || t.kw == kwC)
}
func (t *token) typeFuncName() bool {
	return t.kind == tQuoted || t.kind == tIdent && (t.kw == 0 || t.kw == kwU || t.kw == kwT)
}
func (t *token) colLabel() bool { return t.kind == tQuoted || t.kind == tIdent }
func (t *token) bareLabel() bool {
	return t.kind == tQuoted || t.kind == tIdent && (t.kw == 0 || t.bare)
}

func (p *reader) colID() string {
	if !p.cur().colID() {
		p.fail()
	}
	p.i++
	return p.toks[p.i-1].val
}

func (p *reader) colLabel() string {
	if !p.cur().colLabel() {
		p.fail()
	}
	p.i++
	return p.toks[p.i-1].val
}

// qualified reads name[.name]….
func (p *reader) qualified() []string {
	pos := p.pos()
	names := []string{p.colID()}
	for p.acceptPunct(".") {
		names = append(names, p.colLabel())
	}
	if len(names) > 3 {
		p.raise(pos, pgerr.SyntaxError, "improper qualified name (too many dotted names): %s", joinIdents(names))
	}
	if len(names) == 3 {
		p.refuse(pos, "a cross-database reference")
	}
	return names
}

func joinIdents(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += "."
		}
		s += QuoteIdent(n)
	}
	return s
}

// colIDs reads a list of names without parentheses.
func (p *reader) colIDs() []string {
	names := []string{p.colID()}
	for p.acceptPunct(",") {
		names = append(names, p.colID())
	}
	return names
}

// parenColIDs reads ( name, … ) if it stands there.
func (p *reader) parenColIDs() []string {
	if !p.acceptPunct("(") {
		return nil
	}
	names := p.colIDs()
	p.expect(")")
	return names
}

func (p *reader) expectInt() string {
	if p.cur().kind != tInt {
		p.fail()
	}
	p.i++
	return p.toks[p.i-1].val
}

func (p *reader) expectString() string {
	if p.cur().kind != tString {
		p.fail()
	}
	p.i++
	return p.toks[p.i-1].val
}

// refuseAt notes an unsupported construct at a position of the current statement.
func (p *reader) refuseAt(pos ast.Pos, feature string) {
	if p.unsup == nil {
		p.unsup = pgerr.Unsupported(p.char(p.first)+int(pos), "%s", feature)
	}
}

// text gives the user's text from byte from to the token before the current one.
func (p *reader) text(from int32) string { return p.src[from:p.toks[p.i-1].end] }
