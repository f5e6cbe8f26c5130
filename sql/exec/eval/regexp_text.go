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
		var group int
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

// A regexpPlace is the arguments of regexp_instr and regexp_substr behind the pattern.
type regexpPlace struct {
	start, n, end int64
	flags         regexpFlags
	group         int64
}

// readPlace reads the optional arguments; regexp_instr has an end option among them.
func readPlace(args []types.Datum, caller string, endOption bool) (regexpPlace, error) {
	p := regexpPlace{start: 1, n: 1}
	next := func() (types.Datum, bool) {
		if len(args) == 0 {
			return types.Datum{}, false
		}
		d := args[0]
		args = args[1:]
		return d, true
	}
	if d, ok := next(); ok {
		if p.start = d.I; d.I <= 0 {
			return p, checkStart("start", d.I)
		}
	}
	if d, ok := next(); ok {
		if p.n = d.I; d.I <= 0 {
			return p, checkStart("n", d.I)
		}
	}
	if endOption {
		if d, ok := next(); ok {
			if p.end = d.I; d.I != 0 && d.I != 1 {
				return p, checkStart("endoption", d.I)
			}
		}
	}
	flags, _ := next()
	if d, ok := next(); ok {
		if p.group = d.I; d.I < 0 {
			return p, checkStart("subexpr", d.I)
		}
	}
	var err error
	p.flags, err = parseRegexpFlags(flags.B, false, caller)
	return p, err
}

// find gives where the match, or the part of it, that is asked for lies.
func (p *regexpPlace) find(f *Frame, s, pattern []byte) (from, to int, err error) {
	re, err := f.regexp(pattern, p.flags, true)
	if err != nil {
		return -1, -1, err
	}
	if p.start-1 > int64(utf8.RuneCount(s)) {
		return -1, -1, nil
	}
	found, err := re.from(s, runeOffset(s, int(p.start-1)))
	if err != nil || p.n > int64(len(found)) {
		return -1, -1, err
	}
	m, group := found[p.n-1], p.group
	if len(m) == 2 && group == 1 {
		group = 0 // the whole is the only part
	}
	if 2*group >= int64(len(m)) {
		return -1, -1, nil
	}
	return m[2*group], m[2*group+1], nil
}

func regexpInstr(f *Frame, args []types.Datum) (types.Datum, error) {
	p, err := readPlace(args[2:], "regexp_instr()", true)
	if err != nil {
		return args[0], err
	}
	from, to, err := p.find(f, args[0].B, args[1].B)
	if p.end == 1 {
		from = to
	}
	if err != nil || from < 0 {
		return types.DInt(0), err
	}
	return types.DInt(int64(utf8.RuneCount(args[0].B[:from])) + 1), nil
}

func regexpSubstr(f *Frame, args []types.Datum) (types.Datum, error) {
	p, err := readPlace(args[2:], "regexp_substr()", false)
	if err != nil {
		return args[0], err
	}
	from, to, err := p.find(f, args[0].B, args[1].B)
	if err != nil || from < 0 {
		return types.NullDatum, err
	}
	return types.Datum{B: args[0].B[from:to]}, nil
}

// similarSubstring is SUBSTRING(s SIMILAR p ESCAPE e): of a match in three parts, the
// first as short and the second as long as can be, the second.
func similarSubstring(f *Frame, s, p, esc types.Datum) (types.Datum, error) {
	text, cuts, err := appendSimilar(f.out(), p.B, esc.B)
	if err != nil {
		return s, err
	}
	src := f.keep(text).B
	if cuts == nil {
		return regexpSubstring(f, s, types.Datum{B: src})
	}
	first, rest := src[len("^(?:"):cuts[0]], src[cuts[0]+len(similarFirst):]
	second, third := rest[:len(rest)-len(")$")], []byte(nil)
	if len(cuts) > 1 {
		rest = src[cuts[1]+len(similarSecond):]
		second, third = src[cuts[0]+len(similarFirst):cuts[1]], rest[:len(rest)-len(")$")]
	}
	var parts [3]*pattern
	for i, part := range [][]byte{first, second, third} {
		if parts[i], err = f.regexp(append(append([]byte("^(?:"), part...), ")$"...), regexpFlags{}, false); err != nil {
			return s, err
		}
	}
	var ends []int // of second parts, from the longest
	for j := len(s.B); j >= 0; j-- {
		if (j == len(s.B) || utf8.RuneStart(s.B[j])) && parts[2].Match(s.B[j:]) {
			ends = append(ends, j)
		}
	}
	for i := 0; i <= len(s.B); i++ {
		if i < len(s.B) && !utf8.RuneStart(s.B[i]) || !parts[0].Match(s.B[:i]) {
			continue
		}
		for _, j := range ends {
			if j >= i && parts[1].Match(s.B[i:j]) {
				return types.Datum{B: s.B[i:j]}, nil
			}
		}
	}
	return types.NullDatum, nil
}

// similarEscape turns a pattern of SIMILAR TO into a regular expression.
func similarEscape(f *Frame, a, esc types.Datum) (types.Datum, error) {
	out, _, err := appendSimilar(f.out(), a.B, esc.B)
	return f.keepErr(out, err)
}

// What escaped double quotes, the first and the second, become.
const (
	similarFirst  = "){1,1}?("
	similarSecond = "){1,1}(?:"
)

// appendSimilar appends the regular expression of a pattern of SIMILAR TO, and
// gives where escaped double quotes cut it.
func appendSimilar(out, pattern, esc []byte) (_ []byte, cuts []int, err error) {
	if utf8.RuneCount(esc) > 1 {
		return out, nil, pgerr.Newf(pgerr.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	start := len(out)
	out = append(out, "^(?:"...)
	escaped, inClass := false, false
	for s := pattern; len(s) > 0; {
		_, w := utf8.DecodeRune(s)
		ch := s[:w]
		s = s[w:]
		switch {
		case escaped && ch[0] == '"' && !inClass:
			if len(cuts) == 2 {
				return out, nil, pgerr.Newf("2200C", "SQL regular expression may not contain more than two escape-double-quote separators")
			}
			cuts = append(cuts, len(out)-start)
			out = append(out, pick(len(cuts) == 1, similarFirst, similarSecond)...)
			escaped = false
		case escaped:
			out = append(append(out, '\\'), ch...)
			escaped = false
		case string(ch) == string(esc):
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
	return append(out, ")$"...), cuts, nil
}
