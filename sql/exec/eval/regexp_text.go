package eval

import (
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// regexpSubstring is the first match, or of it the first parenthesised part.
func regexpSubstring(f *Frame, s, p types.Datum) (types.Datum, error) {
	re, err := f.regexp(p.B, regexpFlags{}, true)
	if err != nil {
		return s, err
	}
	m := re.FindSubmatchIndex(s.B)
	if m == nil {
		return types.NullDatum, nil
	}
	if len(m) > 2 {
		m = m[2:]
	}
	if m[0] < 0 {
		return types.NullDatum, nil
	}
	return types.Datum{B: s.B[m[0]:m[1]]}, nil
}

func checkStart(name string, v int64) error {
	return pgerr.Newf(pgerr.InvalidParameterValue, "invalid value for parameter \"%s\": %d", name, v)
}

func regexpCount(f *Frame, s, p types.Datum, start int64, o regexpFlags) (types.Datum, error) {
	if start <= 0 {
		return s, checkStart("start", start)
	}
	re, err := f.regexp(p.B, o, true)
	if err != nil {
		return s, err
	}
	from := runeOffset(s.B, int(start-1))
	if start-1 > int64(utf8.RuneCount(s.B)) {
		return types.DInt(0), nil
	}
	found, err := re.from(s.B, from)
	return types.DInt(int64(len(found))), err
}

// regexpReplace replaces the n-th match from a character on, or all for n = 0.
func regexpReplace(f *Frame, s, p, r types.Datum, start, n int64, o regexpFlags) (types.Datum, error) {
	switch {
	case start <= 0:
		return s, checkStart("start", start)
	case n < 0:
		return s, checkStart("n", n)
	}
	re, err := f.regexp(p.B, o, true)
	if err != nil {
		return s, err
	}
	skip := runeOffset(s.B, int(start-1))
	if start-1 > int64(utf8.RuneCount(s.B)) {
		return s, nil
	}
	out, last := f.out(), 0
	found, err := re.from(s.B, skip)
	if err != nil {
		return s, err
	}
	var seen int64
	for _, m := range found {
		if seen++; n > 0 && seen != n {
			continue
		}
		out = append(out, s.B[last:m[0]]...)
		out = appendReplacement(out, r.B, s.B, m)
		last = m[1]
	}
	return f.keep(append(out, s.B[last:]...)), nil
}

// appendReplacement appends a replacement text: \1 to \9 and \& stand for parts of the match.
func appendReplacement(out, r, s []byte, m []int) []byte {
	for i := 0; i < len(r); i++ {
		if r[i] != '\\' || i+1 == len(r) {
			out = append(out, r[i])
			continue
		}
		i++
		group := -1
		switch c := r[i]; {
		case c == '&':
			group = 0
		case '1' <= c && c <= '9':
			group = int(c - '0')
		case c == '\\':
			out = append(out, '\\')
			continue
		default:
			out = append(out, '\\', c)
			continue
		}
		if 2*group+1 < len(m) && m[2*group] >= 0 {
			out = append(out, s[m[2*group]:m[2*group+1]]...)
		}
	}
	return out
}

// similarEscape turns a pattern of SIMILAR TO into a regular expression.
func similarEscape(f *Frame, a, esc types.Datum) (types.Datum, error) {
	if utf8.RuneCount(esc.B) > 1 {
		return a, pgerr.Newf(pgerr.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	out := append(f.out(), "^(?:"...)
	escaped, inClass := false, false
	for s := a.B; len(s) > 0; {
		_, w := utf8.DecodeRune(s)
		ch := s[:w]
		s = s[w:]
		switch {
		case escaped && ch[0] == '"' && !inClass:
			return a, pgerr.Unsupported(0, "an escaped double quote in a pattern of SIMILAR TO")
		case escaped:
			out = append(append(out, '\\'), ch...)
			escaped = false
		case string(ch) == string(esc.B):
			escaped = true
		case inClass:
			if ch[0] == '\\' {
				out = append(out, '\\')
			}
			out = append(out, ch...)
			inClass = ch[0] != ']'
		case ch[0] == '%':
			out = append(out, ".*"...)
		case ch[0] == '_':
			out = append(out, '.')
		case ch[0] == '(':
			out = append(out, "(?:"...)
		case ch[0] == '\\' || ch[0] == '.' || ch[0] == '^' || ch[0] == '$':
			out = append(append(out, '\\'), ch...)
		default:
			out = append(out, ch...)
			inClass = ch[0] == '['
		}
	}
	return f.keep(append(out, ")$"...)), nil
}
