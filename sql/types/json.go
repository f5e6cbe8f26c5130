package types

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// maxJSONDepth bounds recursion, as max_stack_depth does in PostgreSQL.
const maxJSONDepth = 6000

// checkJSON validates json, which is kept verbatim.
func checkJSON(text []byte) error {
	if err := CheckUTF8(text); err != nil {
		return err
	}
	p := jsonParser{text: text, typ: "json"}
	return p.document(nil)
}

// JSONBFromText appends PostgreSQL's canonical jsonb text of a JSON text:
// keys sorted by length, then bytes, the last of duplicates kept, numbers as
// numeric prints them.
func JSONBFromText(dst, text []byte) ([]byte, error) {
	if err := CheckUTF8(text); err != nil {
		return dst, err
	}
	p := jsonParser{text: text, typ: "jsonb", canon: true}
	err := p.document(&dst)
	return dst, err
}

// A jsonParser checks JSON and, for jsonb, prints its canonical form.
type jsonParser struct {
	text  []byte
	off   int
	typ   string
	canon bool
	depth int
}

func (p *jsonParser) fail(detail string, args ...any) error {
	return pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type json").WithDetail(detail, args...)
}

// unexpected reports the token at off.
func (p *jsonParser) unexpected(want string) error {
	if p.off >= len(p.text) {
		return p.fail("The input string ended unexpectedly.")
	}
	end := p.off + 1
	if isWord(p.text[p.off]) {
		for end < len(p.text) && isWord(p.text[end]) {
			end++
		}
	} else if c := p.text[p.off]; c == '"' {
		q := jsonParser{text: p.text, off: p.off, typ: p.typ}
		if err := q.str(nil); err != nil {
			return err
		}
		end = q.off
	} else if !bytes.ContainsRune([]byte("{}[]:,"), rune(c)) {
		_, w := utf8.DecodeRune(p.text[p.off:])
		return p.fail("Token \"%s\" is invalid.", p.text[p.off:p.off+w])
	}
	tok := p.text[p.off:end]
	if isWord(tok[0]) && !isJSONWord(tok) {
		return p.fail("Token \"%s\" is invalid.", tok)
	}
	return p.fail("%s, but found \"%s\".", want, tok)
}

func isWord(c byte) bool {
	return toLower(c)-'a' < 26 || c-'0' <= 9 || c == '_' || c == '-' || c == '+' || c == '.' || c >= 0x80
}

func isJSONWord(tok []byte) bool {
	switch string(tok) {
	case "true", "false", "null":
		return true
	}
	p := jsonParser{text: tok}
	return p.number(nil) == nil && p.off == len(tok)
}

func (p *jsonParser) skipSpace() {
	for p.off < len(p.text) {
		switch p.text[p.off] {
		case ' ', '\t', '\n', '\r':
			p.off++
		default:
			return
		}
	}
}

func (p *jsonParser) peek() byte {
	p.skipSpace()
	if p.off == len(p.text) {
		return 0
	}
	return p.text[p.off]
}

func (p *jsonParser) document(dst *[]byte) error {
	if err := p.value(dst); err != nil {
		return err
	}
	p.skipSpace()
	if p.off < len(p.text) {
		return p.unexpected("Expected end of input")
	}
	return nil
}

// value parses one value; dst is nil where only its syntax matters.
func (p *jsonParser) value(dst *[]byte) error {
	switch c := p.peek(); {
	case c == '{':
		return p.nested(dst, (*jsonParser).object)
	case c == '[':
		return p.nested(dst, (*jsonParser).array)
	case c == '"':
		return p.str(dst)
	case c == '-' || c-'0' <= 9:
		return p.number(dst)
	default:
		for _, word := range [...]string{"true", "false", "null"} {
			if rest := p.text[p.off:]; bytes.HasPrefix(rest, []byte(word)) && (len(rest) == len(word) || !isWord(rest[len(word)])) {
				p.off += len(word)
				p.emit(dst, word)
				return nil
			}
		}
	}
	return p.unexpected("Expected JSON value")
}

func (p *jsonParser) nested(dst *[]byte, parse func(*jsonParser, *[]byte) error) error {
	if p.depth++; p.depth > maxJSONDepth {
		return pgerr.Newf(pgerr.StatementTooComplex, "stack depth limit exceeded")
	}
	p.off++
	err := parse(p, dst)
	p.depth--
	return err
}

func (p *jsonParser) emit(dst *[]byte, s string) {
	if dst != nil {
		*dst = append(*dst, s...)
	}
}

func (p *jsonParser) array(dst *[]byte) error {
	p.emit(dst, "[")
	for n := 0; ; n++ {
		c := p.peek()
		if c == ']' && n == 0 {
			p.off++
			break
		}
		if n > 0 {
			if c == ']' {
				p.off++
				break
			}
			if c != ',' {
				return p.unexpected("Expected \",\" or \"]\"")
			}
			p.off++
			p.emit(dst, ", ")
		}
		if n == 0 && (c == '}' || c == ',' || c == ':') {
			return p.unexpected("Expected array element or \"]\"")
		}
		if err := p.value(dst); err != nil {
			return err
		}
	}
	p.emit(dst, "]")
	return nil
}

// A jsonMember is one "key": value of an object under construction; key is
// unescaped, text is the canonical text of both.
type jsonMember struct{ key, text []byte }

func (p *jsonParser) object(dst *[]byte) error {
	var members []jsonMember
	for n := 0; ; n++ {
		c := p.peek()
		if c == '}' && n == 0 {
			p.off++
			break
		}
		if n > 0 {
			if c == '}' {
				p.off++
				break
			}
			if c != ',' {
				return p.unexpected("Expected \",\" or \"}\"")
			}
			p.off++
			c = p.peek()
		}
		if c != '"' {
			if n == 0 {
				return p.unexpected("Expected string or \"}\"")
			}
			return p.unexpected("Expected string")
		}
		var m jsonMember
		var out *[]byte
		if dst != nil {
			out = &m.text
		}
		if err := p.str(out); err != nil {
			return err
		}
		m.key = jsonUnquote(nil, m.text)
		if p.peek() != ':' {
			return p.unexpected("Expected \":\"")
		}
		p.off++
		p.emit(out, ": ")
		if err := p.value(out); err != nil {
			return err
		}
		if dst != nil {
			members = append(members, m)
		}
	}
	if dst == nil {
		return nil
	}
	slices.SortStableFunc(members, func(a, b jsonMember) int { return compareJSONKeys(a.key, b.key) })
	*dst = append(*dst, '{')
	first := true
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(members[i+1].key, m.key) {
			continue
		}
		if !first {
			*dst = append(*dst, ", "...)
		}
		first = false
		*dst = append(*dst, m.text...)
	}
	*dst = append(*dst, '}')
	return nil
}

// compareJSONKeys is the order in which jsonb keeps keys.
func compareJSONKeys(a, b []byte) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

// str parses a string and appends its canonical text.
func (p *jsonParser) str(dst *[]byte) error {
	start := p.off
	p.off++
	var buf []byte
	var high rune
	for {
		if p.off >= len(p.text) {
			return p.fail("Token \"%s\" is invalid.", p.text[start:])
		}
		c := p.text[p.off]
		if high != 0 && c != '\\' {
			return p.fail("Unicode low surrogate must follow a high surrogate.")
		}
		switch {
		case c == '"':
			p.off++
			if dst != nil {
				*dst = AppendJSONString(*dst, buf)
			}
			return nil
		case c < ' ':
			return p.fail("Character with value 0x%02x must be escaped.", c)
		case c != '\\':
			if dst != nil {
				buf = append(buf, c)
			}
			p.off++
			continue
		}
		r, err := p.escape(start)
		if err != nil {
			return err
		}
		switch {
		case !p.canon: // escapes of json are not looked into
			continue
		case high != 0 && !(r.unicode && r.r >= 0xdc00 && r.r <= 0xdfff),
			high == 0 && r.unicode && r.r >= 0xdc00 && r.r <= 0xdfff:
			return p.fail("Unicode low surrogate must follow a high surrogate.")
		case high != 0:
			r.r = utf16.DecodeRune(high, r.r)
			high = 0
		case r.unicode && r.r >= 0xd800 && r.r <= 0xdbff:
			high = r.r
			continue
		}
		if r.r == 0 {
			return pgerr.Newf(pgerr.UntranslatableCharacter, "unsupported Unicode escape sequence").
				WithDetail("\\u0000 cannot be converted to text.")
		}
		if dst != nil {
			buf = utf8.AppendRune(buf, r.r)
		}
	}
}

type jsonEscape struct {
	r       rune
	unicode bool
}

// escape reads one escape sequence.
func (p *jsonParser) escape(start int) (jsonEscape, error) {
	p.off++
	if p.off >= len(p.text) {
		return jsonEscape{}, p.fail("Token \"%s\" is invalid.", p.text[start:])
	}
	c := p.text[p.off]
	p.off++
	switch c {
	case '"', '\\', '/':
		return jsonEscape{r: rune(c)}, nil
	case 'b':
		return jsonEscape{r: '\b'}, nil
	case 'f':
		return jsonEscape{r: '\f'}, nil
	case 'n':
		return jsonEscape{r: '\n'}, nil
	case 'r':
		return jsonEscape{r: '\r'}, nil
	case 't':
		return jsonEscape{r: '\t'}, nil
	case 'u':
		var r rune
		for range 4 {
			if p.off >= len(p.text) {
				return jsonEscape{}, p.fail("Token \"%s\" is invalid.", p.text[start:])
			}
			h := hexValue(p.text[p.off])
			if h == 0xff {
				return jsonEscape{}, p.fail("\"\\u\" must be followed by four hexadecimal digits.")
			}
			r = r<<4 | rune(h)
			p.off++
		}
		return jsonEscape{r, true}, nil
	}
	_, w := utf8.DecodeRune(p.text[p.off-1:])
	return jsonEscape{}, p.fail("Escape sequence \"\\%s\" is invalid.", p.text[p.off-1:p.off-1+w])
}

// AppendJSONString appends s quoted and escaped as PostgreSQL does.
func AppendJSONString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// jsonUnquote appends the characters of a canonical quoted string.
func jsonUnquote(dst, s []byte) []byte {
	if len(s) < 2 {
		return dst
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			dst = append(dst, hexValue(s[i+3])<<4|hexValue(s[i+4]))
			i += 4
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
}

// number parses a JSON number.
func (p *jsonParser) number(dst *[]byte) error {
	start := p.off
	digits := func() bool {
		from := p.off
		for p.off < len(p.text) && p.text[p.off]-'0' <= 9 {
			p.off++
		}
		return p.off > from
	}
	at := func(set string) bool {
		return p.off < len(p.text) && bytes.IndexByte([]byte(set), p.text[p.off]) >= 0
	}
	if at("-") {
		p.off++
	}
	ok := true
	if at("0") {
		p.off++
	} else {
		ok = digits()
	}
	if ok && at(".") {
		p.off++
		ok = digits()
	}
	if ok && at("eE") {
		p.off++
		if at("+-") {
			p.off++
		}
		ok = digits()
	}
	if !ok || p.off < len(p.text) && isWord(p.text[p.off]) {
		for p.off < len(p.text) && isWord(p.text[p.off]) {
			p.off++
		}
		return p.fail("Token \"%s\" is invalid.", p.text[start:p.off])
	}
	if dst == nil {
		return nil
	}
	var buf [64]byte
	n, err := NumericParse(buf[:0], p.text[start:p.off])
	if err != nil {
		return err
	}
	*dst = AppendNumericText(*dst, n)
	return nil
}
