package parser

import (
	"strings"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

type tokenKind uint8

const (
	tEOF    tokenKind = iota
	tIdent            // unquoted word, folded to lower case (maybe a keyword)
	tQuoted           // "quoted"
	tString           // any string constant; val is its value
	tBits             // B'…' and X'…'; val is the letter in lower case and the digits
	tInt              // digits that fit an int64
	tNum              // other numbers
	tParam            // $1
	tOp               // operator
	tPunct            // ( ) [ ] , ; . .. : :: := =>
	tBad              // the lexer's own error stands here; the last token
)

type token struct {
	kind tokenKind
	kw   byte // a keyword's category, or 0
	bare bool
	pos  int32
	end  int32
	val  string
}

// A lexer cuts a whole string into tokens by PostgreSQL's rules (scan.l). Its
// first error becomes a token of its own: the grammar may object to an earlier one.
type lexer struct {
	src   string
	at    int
	start int
	toks  []token
	// match maps each "(" to its ")" by token index; 0 where there is none.
	match []int32
	open  []int32
	err   *pgerr.Error // Position is a byte offset
}

// maxNesting bounds nested parentheses and nested productions, maxHeight the
// height of an expression: Go's stack overflow cannot be recovered, and TiDB's
// visitors and our planner recurse as deep as the statement does.
const (
	maxNesting = 1000
	maxHeight  = 5000
)

const maxIdent = 63 // NAMEDATALEN - 1

func isOpByte(c byte) bool { return strings.IndexByte("+-*/<>=~!@#%^&|`?", c) >= 0 }
func isSpace(c byte) bool  { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isWord(c byte) bool   { return isWordStart(c) || isDigit(c) || c == '$' }
func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func foldLower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// truncateIdent cuts a name to what PostgreSQL keeps of it.
func truncateIdent(s string) string {
	if len(s) <= maxIdent {
		return s
	}
	n := maxIdent
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// lex cuts src, which must be valid UTF-8 without NUL bytes.
func (l *lexer) lex(src string) {
	l.src, l.at, l.toks, l.match, l.open, l.err = src, 0, l.toks[:0], l.match[:0], l.open[:0], nil
	for {
		l.skipSpace()
		l.start = l.at
		if l.err == nil && l.at >= len(src) {
			l.add(tEOF, "")
			return
		}
		if l.err == nil {
			l.next()
		}
		if l.err != nil {
			l.start = l.err.Position
			l.at = max(l.at, l.start)
			l.add(tBad, "")
			return
		}
	}
}

func (l *lexer) add(k tokenKind, v string) {
	l.toks = append(l.toks, token{kind: k, pos: int32(l.start), end: int32(l.at), val: v})
	l.match = append(l.match, 0)
}

func (l *lexer) fail(pos int, code pgerr.Code, format string, args ...any) {
	if l.err == nil {
		l.err = pgerr.Newf(code, format, args...).At(pos)
	}
}

func (l *lexer) skipSpace() {
	src, n := l.src, len(l.src)
	for l.at < n {
		c := src[l.at]
		switch {
		case isSpace(c):
			l.at++
		case c == '-' && l.at+1 < n && src[l.at+1] == '-':
			for l.at < n && src[l.at] != '\n' && src[l.at] != '\r' {
				l.at++
			}
		case c == '/' && l.at+1 < n && src[l.at+1] == '*':
			if !l.skipComment() {
				return
			}
		default:
			return
		}
	}
}

func (l *lexer) skipComment() bool {
	start, depth := l.at, 1
	l.at += 2
	for depth > 0 {
		if l.at+1 >= len(l.src) {
			l.fail(start, pgerr.SyntaxError, "unterminated /* comment at or near \"%s\"", l.src[start:])
			return false
		}
		switch l.src[l.at : l.at+2] {
		case "*/":
			depth--
			l.at += 2
		case "/*":
			depth++
			l.at += 2
		default:
			l.at++
		}
	}
	return true
}

func (l *lexer) peek(n int) byte {
	if l.at+n < len(l.src) {
		return l.src[l.at+n]
	}
	return 0
}

// next reads one token at l.at.
func (l *lexer) next() {
	c := l.src[l.at]
	switch {
	case isWordStart(c):
		l.word(c)
	case c == '"':
		if v := l.quotedIdent(); l.err == nil {
			l.add(tQuoted, truncateIdent(v))
		}
	case c == '\'':
		if v := l.quoted(false); l.err == nil {
			l.add(tString, v)
		}
	case c == '$':
		l.dollar()
	case isDigit(c) || c == '.' && isDigit(l.peek(1)):
		l.number()
	case c == '(' || c == ')' || c == '[' || c == ']' || c == ',' || c == ';':
		l.at++
		l.add(tPunct, l.src[l.start:l.at])
		l.pair(c)
	case c == '.':
		l.at++
		if l.peek(0) == '.' {
			l.at++
		}
		l.add(tPunct, l.src[l.start:l.at])
	case c == ':':
		l.at++
		if n := l.peek(0); n == ':' || n == '=' {
			l.at++
		}
		l.add(tPunct, l.src[l.start:l.at])
	case isOpByte(c):
		l.operator()
	default:
		_, n := utf8.DecodeRuneInString(l.src[l.at:])
		l.fail(l.at, pgerr.SyntaxError, "syntax error at or near \"%s\"", l.src[l.at:l.at+n])
	}
}

// pair keeps match, and refuses what is nested too deep.
func (l *lexer) pair(c byte) {
	i := int32(len(l.toks) - 1)
	switch {
	case c == '(':
		if l.open = append(l.open, i); len(l.open) > maxNesting {
			l.toks, l.match = l.toks[:i], l.match[:i]
			l.fail(l.start, pgerr.StatementTooComplex, "stack depth limit exceeded")
		}
	case c == ')' && len(l.open) > 0:
		l.match[l.open[len(l.open)-1]] = i
		l.open = l.open[:len(l.open)-1]
	case c == ';':
		l.open = l.open[:0]
	}
}

// word reads a keyword or a name, or a string constant with a letter in front.
func (l *lexer) word(c byte) {
	if n := l.peek(1); n == '\'' {
		switch c {
		case 'e', 'E':
			l.at++
			if v := l.quoted(true); l.err == nil {
				l.add(tString, v)
			}
			return
		case 'b', 'B', 'x', 'X':
			l.at++
			if v := l.quoted(false); l.err == nil {
				l.add(tBits, foldLower(string(c))+v)
				l.checkBits(c|0x20, v)
			}
			return
		case 'n', 'N': // N'x' is NCHAR 'x', but without a modifier
			l.at++
			l.add(tIdent, "nchar'")
			l.toks[len(l.toks)-1].kw = kwC
			return
		}
	} else if n == '&' && (c == 'u' || c == 'U') && (l.peek(2) == '\'' || l.peek(2) == '"') {
		l.unicode()
		return
	}
	for l.at < len(l.src) && isWord(l.src[l.at]) {
		l.at++
	}
	w := foldLower(l.src[l.start:l.at])
	l.add(tIdent, w)
	t := &l.toks[len(l.toks)-1]
	if len(w) <= 17 {
		if k, ok := keywords[w]; ok {
			t.kw, t.bare = k.cat, k.bare
		}
	} else {
		t.val = truncateIdent(w)
	}
}

func (l *lexer) checkBits(letter byte, v string) {
	for i := 0; i < len(v); i++ {
		if letter == 'b' && v[i] != '0' && v[i] != '1' {
			l.fail(l.start, pgerr.InvalidTextRepresentation, "%q is not a valid binary digit", v[i:i+1])
		} else if hexVal(v[i]) < 0 {
			l.fail(l.start, pgerr.InvalidTextRepresentation, "%q is not a valid hexadecimal digit", v[i:i+1])
		}
	}
}

// dollar reads a parameter or a dollar-quoted string.
func (l *lexer) dollar() {
	src, n := l.src, len(l.src)
	if isDigit(l.peek(1)) {
		for l.at++; l.at < n && isDigit(src[l.at]); l.at++ {
		}
		l.add(tParam, src[l.start+1:l.at])
		return
	}
	j := l.at + 1
	if j < n && isWordStart(src[j]) {
		for j < n && isWord(src[j]) && src[j] != '$' {
			j++
		}
	}
	if j >= n || src[j] != '$' {
		l.fail(l.start, pgerr.SyntaxError, "syntax error at or near \"$\"")
		return
	}
	tag := src[l.at : j+1]
	k := strings.Index(src[j+1:], tag)
	if k < 0 {
		l.fail(l.start, pgerr.SyntaxError, "unterminated dollar-quoted string at or near \"%s\"", src[l.start:])
		return
	}
	l.at = j + 1 + k + len(tag)
	l.add(tString, src[j+1:j+1+k])
}

func (l *lexer) number() {
	src, n := l.src, len(l.src)
	digits := func() {
		for l.at < n && isDigit(src[l.at]) {
			l.at++
		}
	}
	isInt := true
	digits()
	if l.peek(0) == '.' && l.peek(1) != '.' {
		isInt = false
		l.at++
		digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		j := 1
		if s := l.peek(1); s == '+' || s == '-' {
			j++
		}
		if !isDigit(l.peek(j)) {
			l.fail(l.start, pgerr.SyntaxError, "trailing junk after numeric literal at or near \"%s\"", src[l.start:l.at+j])
			return
		}
		isInt = false
		l.at += j
		digits()
	}
	if l.at < n && isWordStart(src[l.at]) {
		j := l.at
		for j < n && isWord(src[j]) {
			j++
		}
		l.fail(l.start, pgerr.SyntaxError, "trailing junk after numeric literal at or near \"%s\"", src[l.start:j])
		return
	}
	v := src[l.start:l.at]
	if isInt && (len(v) < 19 || len(v) == 19 && v <= "9223372036854775807") {
		l.add(tInt, v)
		return
	}
	l.add(tNum, v)
}

func (l *lexer) operator() {
	src, i, j := l.src, l.at, l.at
	for j < len(src) && isOpByte(src[j]) {
		if j > i && j+1 < len(src) && (src[j:j+2] == "--" || src[j:j+2] == "/*") {
			break
		}
		j++
	}
	// an operator of several characters may end in + or - only if it has one of these
	if j-i > 1 && (src[j-1] == '+' || src[j-1] == '-') && !strings.ContainsAny(src[i:j], "~!@#%^&|`?") {
		for j-i > 1 && (src[j-1] == '+' || src[j-1] == '-') {
			j--
		}
	}
	l.at = j
	switch op := src[i:j]; {
	case op == "!=":
		l.add(tOp, "<>")
	case op == "=>":
		l.add(tPunct, op)
	case len(op) > maxIdent:
		l.fail(i, pgerr.SyntaxError, "operator too long at or near \"%s\"", op)
	default:
		l.add(tOp, op)
	}
}
