package eval

import (
	"bytes"
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// regexpFuncs are POSIX regular expressions: PostgreSQL's advanced ones as far
// as a finite automaton can match them.
var regexpFuncs = map[string]impl{
	"textregexeq(text,text)": matches(false, false), "textregexne(text,text)": matches(true, false),
	"bpcharregexeq(bpchar,text)": matches(false, false), "bpcharregexne(bpchar,text)": matches(true, false),
	"nameregexeq(name,text)": matches(false, false), "nameregexne(name,text)": matches(true, false),
	"texticregexeq(text,text)": matches(false, true), "texticregexne(text,text)": matches(true, true),
	"bpcharicregexeq(bpchar,text)": matches(false, true), "bpcharicregexne(bpchar,text)": matches(true, true),
	"nameicregexeq(name,text)": matches(false, true), "nameicregexne(name,text)": matches(true, true),
	"regexp_like(text,text)": matches(false, false),
	"regexp_like(text,text,text)": fn3(func(f *Frame, s, p, flags types.Datum) (types.Datum, error) {
		o, err := parseRegexpFlags(flags.B, false, "regexp_like()")
		if err != nil {
			return s, err
		}
		re, err := f.regexp(p.B, o, false)
		if err != nil {
			return s, err
		}
		return types.DBool(re.Match(s.B)), nil
	}),
	"substring(text,text)": fn2(regexpSubstring), "substring(text,text,text)": fn3(similarSubstring),
	"regexp_instr(text,text)": fnN(regexpInstr), "regexp_instr(text,text,int4)": fnN(regexpInstr),
	"regexp_instr(text,text,int4,int4)": fnN(regexpInstr), "regexp_instr(text,text,int4,int4,int4)": fnN(regexpInstr),
	"regexp_instr(text,text,int4,int4,int4,text)":      fnN(regexpInstr),
	"regexp_instr(text,text,int4,int4,int4,text,int4)": fnN(regexpInstr),
	"regexp_substr(text,text)":                         fnN(regexpSubstr), "regexp_substr(text,text,int4)": fnN(regexpSubstr),
	"regexp_substr(text,text,int4,int4)": fnN(regexpSubstr), "regexp_substr(text,text,int4,int4,text)": fnN(regexpSubstr),
	"regexp_substr(text,text,int4,int4,text,int4)": fnN(regexpSubstr),
	"regexp_count(text,text)": fn2(func(f *Frame, s, p types.Datum) (types.Datum, error) {
		return regexpCount(f, s, p, 1, regexpFlags{})
	}),
	"regexp_count(text,text,int4)": fn3(func(f *Frame, s, p, start types.Datum) (types.Datum, error) {
		return regexpCount(f, s, p, start.I, regexpFlags{})
	}),
	"regexp_count(text,text,int4,text)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		if args[2].I <= 0 {
			return args[0], checkStart("start", args[2].I)
		}
		o, err := parseRegexpFlags(args[3].B, false, "regexp_count()")
		if err != nil {
			return args[0], err
		}
		return regexpCount(f, args[0], args[1], args[2].I, o)
	}),
	"regexp_replace(text,text,text)": fn3(func(f *Frame, s, p, r types.Datum) (types.Datum, error) {
		return regexpReplace(f, s, p, r, 1, 1, regexpFlags{})
	}),
	"regexp_replace(text,text,text,text)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		if b := args[3].B; len(b) > 0 && '0' <= b[0] && b[0] <= '9' {
			return args[0], pgerr.Newf(pgerr.InvalidParameterValue, "invalid regular expression option: \"%s\"", b[:1]).
				WithHint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
		}
		o, err := parseRegexpFlags(args[3].B, true, "")
		if err != nil {
			return args[0], err
		}
		n := int64(1)
		if o.global {
			n = 0
		}
		return regexpReplace(f, args[0], args[1], args[2], 1, n, o)
	}),
	"regexp_replace(text,text,text,int4)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		return regexpReplace(f, args[0], args[1], args[2], args[3].I, 1, regexpFlags{})
	}),
	"regexp_replace(text,text,text,int4,int4)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		return regexpReplace(f, args[0], args[1], args[2], args[3].I, args[4].I, regexpFlags{})
	}),
	"regexp_replace(text,text,text,int4,int4,text)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		o, err := parseRegexpFlags(args[5].B, true, "")
		if err != nil {
			return args[0], err
		}
		return regexpReplace(f, args[0], args[1], args[2], args[3].I, args[4].I, o)
	}),
	"similar_to_escape(text)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return similarEscape(f, a, types.Datum{B: []byte(`\`)})
	}),
	"similar_to_escape(text,text)": fn2(similarEscape),
}

// regexpFlags are the options of a match.
type regexpFlags struct{ global, fold, newline, lines bool }

// parseRegexpFlags reads the letters that regexp functions take.
func parseRegexpFlags(s []byte, globalOK bool, caller string) (regexpFlags, error) {
	var o regexpFlags
	for i, c := range s {
		switch c {
		case 'g':
			if !globalOK {
				return o, pgerr.Newf(pgerr.InvalidParameterValue, "%s does not support the \"global\" option", caller)
			}
			o.global = true
		case 'i':
			o.fold = true
		case 'c':
			o.fold = false
		case 'm', 'n':
			o.newline, o.lines = true, true
		case 'p':
			o.newline, o.lines = true, false
		case 'w':
			o.newline, o.lines = false, true
		case 's':
			o.newline, o.lines = false, false
		case 't':
		case 'b', 'e', 'q', 'x':
			return o, pgerr.Unsupported(0, "regular expression option \"%c\"", c)
		default:
			return o, pgerr.Newf(pgerr.InvalidParameterValue, "invalid regular expression option: \"%s\"", s[i:i+runeOffset(s[i:], 1)])
		}
	}
	return o, nil
}

// matches compiles ~ and its kin; a constant pattern is compiled once.
func matches(neg, fold bool) builder {
	return func(c *compiler, call *scalar.Call) (impl, error) {
		o := regexpFlags{fold: fold}
		if k, ok := constArg(call, 1); ok {
			re, err := compileRegexp(k.B, o, false)
			if pgerr.CodeOf(err) == pgerr.FeatureNotSupported {
				return nil, err
			}
			return fn2(func(_ *Frame, s, _ types.Datum) (types.Datum, error) {
				if err != nil {
					return s, err
				}
				return types.DBool(re.Match(s.B) != neg), nil
			}), nil
		}
		return fn2(func(f *Frame, s, p types.Datum) (types.Datum, error) {
			re, err := f.regexp(p.B, o, false)
			if err != nil {
				return s, err
			}
			return types.DBool(re.Match(s.B) != neg), nil
		}), nil
	}
}

// A pattern is a compiled regular expression.
type pattern struct {
	*regexp.Regexp
	asserts bool
}

// all finds all matches as PostgreSQL does: unlike Go's, an empty one may
// follow at once on one that is not.
func (p *pattern) all(s []byte) [][]int {
	found := p.FindAllSubmatchIndex(s, -1)
	if p.asserts || !p.MatchString("") {
		return found
	}
	var out [][]int
	for i, m := range found {
		out = append(out, m)
		end := m[1]
		if end == m[0] || i+1 < len(found) && found[i+1][0] == end {
			continue
		}
		if e := p.FindSubmatchIndex(s[end:]); e != nil && e[0] == 0 && e[1] == 0 {
			for j := range e {
				if e[j] >= 0 {
					e[j] += end
				}
			}
			out = append(out, e)
		}
	}
	return out
}

// from finds all matches that start at an offset or behind it.
func (p *pattern) from(s []byte, off int) ([][]int, error) {
	if off == 0 {
		return p.all(s), nil
	}
	if p.asserts {
		return nil, pgerr.Unsupported(0, "a start position with ^, \\A or \\y in the regular expression")
	}
	found := p.all(s[off:])
	for _, m := range found {
		for j := range m {
			if m[j] >= 0 {
				m[j] += off
			}
		}
	}
	return found, nil
}

type regexpKey struct {
	pattern string
	flags   regexpFlags
	extract bool
}

// regexpCacheSize bounds the compiled expressions that a frame keeps.
const regexpCacheSize = 64

// regexp compiles a pattern, or finds it among the frame's. extract says that
// where it matches counts, not only whether it does.
func (f *Frame) regexp(src []byte, o regexpFlags, extract bool) (*pattern, error) {
	o.global = false
	if re, ok := f.regexps[regexpKey{string(src), o, extract}]; ok {
		return re, nil
	}
	re, err := compileRegexp(src, o, extract)
	if err != nil {
		return nil, err
	}
	if len(f.regexps) >= regexpCacheSize || f.regexps == nil {
		f.regexps = make(map[regexpKey]*pattern)
	}
	f.regexps[regexpKey{string(src), o, extract}] = re
	return re, nil
}

func compileRegexp(src []byte, o regexpFlags, extract bool) (*pattern, error) {
	t := regexpTranslator{src: src, flags: o}
	if err := t.translate(); err != nil {
		return nil, err
	}
	lazy := t.lazy == 1 && t.greedy == 0 && !t.alternatives
	if extract && t.lazy > 0 && !lazy {
		return nil, pgerr.Unsupported(0, "a mix of non-greedy and other parts in a regular expression")
	}
	re, err := regexp.Compile(string(t.out))
	if err != nil {
		return nil, regexpError(err)
	}
	if extract && !lazy {
		re.Longest()
	}
	return &pattern{Regexp: re, asserts: t.asserts}, nil
}

func errRegexp(what string) error {
	return pgerr.Newf(pgerr.InvalidRegularExpression, "invalid regular expression: %s", what)
}

func regexpError(err error) error {
	var se *syntax.Error
	if !errors.As(err, &se) {
		return errRegexp(err.Error())
	}
	switch se.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return errRegexp("parentheses () not balanced")
	case syntax.ErrMissingBracket:
		return errRegexp("brackets [] not balanced")
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return errRegexp("quantifier operand invalid")
	case syntax.ErrInvalidRepeatSize:
		return errRegexp("invalid repetition count(s)")
	case syntax.ErrInvalidCharRange:
		return errRegexp("invalid character range")
	case syntax.ErrInvalidEscape, syntax.ErrTrailingBackslash:
		return errRegexp("invalid escape \\ sequence")
	}
	return errRegexp("regular expression is too complex")
}

// A regexpTranslator rewrites an advanced regular expression as Go's.
type regexpTranslator struct {
	src          []byte
	pos          int
	flags        regexpFlags
	out          []byte
	lazy, greedy int // quantifiers
	alternatives bool
	asserts      bool // ^, \A, \y: what matches depends on what stands before
}

func (t *regexpTranslator) translate() error {
	if bytes.HasPrefix(t.src, []byte("***=")) {
		t.prefix()
		t.out = append(t.out, regexp.QuoteMeta(string(t.src[4:]))...)
		return nil
	}
	if bytes.HasPrefix(t.src, []byte("***:")) {
		t.pos = 4
	}
	if err := t.embeddedOptions(); err != nil {
		return err
	}
	t.prefix()
	for t.pos < len(t.src) {
		if err := t.atom(); err != nil {
			return err
		}
	}
	return nil
}

func (t *regexpTranslator) prefix() {
	t.out = append(t.out, "(?"...)
	if t.flags.fold {
		t.out = append(t.out, 'i')
	}
	if t.flags.lines {
		t.out = append(t.out, 'm')
	}
	if !t.flags.newline {
		t.out = append(t.out, 's')
	}
	if t.out[len(t.out)-1] == '?' {
		t.out = append(t.out, "-i"...)
	}
	t.out = append(t.out, ')')
}

// embeddedOptions reads (?xyz) at the start.
func (t *regexpTranslator) embeddedOptions() error {
	s := t.src[t.pos:]
	if len(s) < 3 || s[0] != '(' || s[1] != '?' || asciiLower(s[2]) < 'a' || asciiLower(s[2]) > 'z' {
		return nil
	}
	end := bytes.IndexByte(s, ')')
	if end < 0 {
		return errRegexp("invalid embedded option")
	}
	for _, c := range s[2:end] {
		switch c {
		case 'i':
			t.flags.fold = true
		case 'c':
			t.flags.fold = false
		case 'm', 'n':
			t.flags.newline, t.flags.lines = true, true
		case 'p':
			t.flags.newline, t.flags.lines = true, false
		case 'w':
			t.flags.newline, t.flags.lines = false, true
		case 's':
			t.flags.newline, t.flags.lines = false, false
		case 't':
		case 'b', 'e', 'q', 'x':
			return pgerr.Unsupported(0, "regular expression option \"%c\"", c)
		default:
			return errRegexp("invalid embedded option")
		}
	}
	t.pos += end + 1
	return nil
}

func (t *regexpTranslator) atom() error {
	switch c := t.src[t.pos]; c {
	case '\\':
		return t.escape()
	case '[':
		return t.bracket()
	case '(':
		if rest := t.src[t.pos+1:]; len(rest) > 0 && rest[0] == '?' {
			switch {
			case len(rest) > 1 && rest[1] == ':':
				t.out = append(t.out, "(?:"...)
				t.pos += 3
				return nil
			case len(rest) > 1 && (rest[1] == '=' || rest[1] == '!' || rest[1] == '<'):
				return pgerr.Unsupported(0, "lookaround in a regular expression")
			}
			return errRegexp("quantifier operand invalid")
		}
	case '|':
		t.alternatives = true
	case '^':
		t.asserts = true
	case '*', '+', '?':
		return t.quantifier(1)
	case '{':
		if n := t.bound(); n > 0 {
			return t.quantifier(n)
		}
		t.out = append(t.out, `\{`...)
		t.pos++
		return nil
	}
	_, w := utf8.DecodeRune(t.src[t.pos:])
	t.out = append(t.out, t.src[t.pos:t.pos+w]...)
	t.pos += w
	return nil
}

// bound gives the length of a {m,n} at the position; 0 if a brace is only itself.
func (t *regexpTranslator) bound() int {
	s := t.src[t.pos:]
	if len(s) < 2 || s[1] < '0' || s[1] > '9' {
		return 0
	}
	if end := bytes.IndexByte(s, '}'); end > 0 {
		return end + 1
	}
	return len(s)
}

func (t *regexpTranslator) quantifier(n int) error {
	q := t.src[t.pos : t.pos+n]
	if n > 1 {
		if q[n-1] != '}' {
			return errRegexp("braces {} not balanced")
		}
		for _, field := range bytes.SplitN(q[1:n-1], []byte(","), 2) {
			if v, err := strconv.Atoi(string(field)); len(field) > 0 && (err != nil || v > 255) {
				return errRegexp("invalid repetition count(s)")
			}
		}
	}
	t.out = append(t.out, q...)
	t.pos += n
	if t.pos < len(t.src) && t.src[t.pos] == '?' {
		t.out = append(t.out, '?')
		t.pos++
		t.lazy++
		return nil
	}
	t.greedy++
	return nil
}

// simpleEscapes are escapes of one character.
var simpleEscapes = map[byte]string{
	'a': `\x07`, 'b': `\x08`, 'B': `\\`, 'e': `\x1b`, 'f': `\f`, 'n': `\n`, 'r': `\r`, 't': `\t`, 'v': `\v`, '0': `\x00`,
}

// classEscapes are the shorthands of classes, outside brackets and, without the brackets, inside.
var classEscapes = map[byte]string{
	'd': `[[:digit:]]`, 's': `[[:space:]]`, 'w': `[[:word:]]`, 'D': `[^[:digit:]]`, 'S': `[^[:space:]]`, 'W': `[^[:word:]]`,
}

func (t *regexpTranslator) escape() error {
	if t.pos+1 >= len(t.src) {
		return errRegexp("invalid escape \\ sequence")
	}
	c := t.src[t.pos+1]
	if class, ok := classEscapes[c]; ok {
		t.out = append(t.out, class...)
		t.pos += 2
		return nil
	}
	switch c {
	case 'A':
		t.asserts = true
		t.out = append(t.out, `\A`...)
	case 'Z':
		t.out = append(t.out, `\z`...)
	case 'y':
		t.asserts = true
		t.out = append(t.out, `\b`...)
	case 'Y':
		t.asserts = true
		t.out = append(t.out, `\B`...)
	case 'm', 'M':
		return pgerr.Unsupported(0, "\\%c in a regular expression", c)
	default:
		if '1' <= c && c <= '9' {
			return pgerr.Unsupported(0, "back reference in a regular expression")
		}
		return t.charEscape()
	}
	t.pos += 2
	return nil
}

// charEscape reads an escape that stands for one character.
func (t *regexpTranslator) charEscape() error {
	if t.pos+1 >= len(t.src) {
		return errRegexp("invalid escape \\ sequence")
	}
	c := t.src[t.pos+1]
	if s, ok := simpleEscapes[c]; ok {
		t.out = append(t.out, s...)
		t.pos += 2
		return nil
	}
	digits := map[byte]int{'u': 4, 'U': 8, 'x': 0}
	n, isHex := digits[c]
	switch {
	case isHex:
		end := t.pos + 2
		for end < len(t.src) && (n == 0 || end < t.pos+2+n) && isHexDigit(t.src[end]) {
			end++
		}
		v, err := strconv.ParseUint(string(t.src[t.pos+2:end]), 16, 32)
		if err != nil || n > 0 && end != t.pos+2+n || v > utf8.MaxRune {
			return errRegexp("invalid escape \\ sequence")
		}
		t.out = append(strconv.AppendUint(append(t.out, `\x{`...), v, 16), '}')
		t.pos = end
		return nil
	case c == 'c' && t.pos+2 < len(t.src):
		t.out = append(strconv.AppendUint(append(t.out, `\x{`...), uint64(t.src[t.pos+2]&31), 16), '}')
		t.pos += 3
		return nil
	case 'a' <= asciiLower(c) && asciiLower(c) <= 'z':
		return errRegexp("invalid escape \\ sequence")
	}
	_, w := utf8.DecodeRune(t.src[t.pos+1:])
	t.out = append(t.out, regexp.QuoteMeta(string(t.src[t.pos+1:t.pos+1+w]))...)
	t.pos += 1 + w
	return nil
}

func isHexDigit(c byte) bool {
	c = asciiLower(c)
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
}

// bracket reads a bracket expression.
func (t *regexpTranslator) bracket() error {
	t.out = append(t.out, '[')
	t.pos++
	if t.peek("^") {
		t.out = append(t.out, '^')
		t.pos++
		if t.flags.newline {
			t.out = append(t.out, `\n`...)
		}
	}
	for first := true; ; first = false {
		if t.pos >= len(t.src) {
			return errRegexp("brackets [] not balanced")
		}
		switch c := t.src[t.pos]; {
		case c == ']' && !first:
			t.out = append(t.out, ']')
			t.pos++
			return nil
		case t.peek("[:<:]"), t.peek("[:>:]"):
			return pgerr.Unsupported(0, "word boundaries in brackets of a regular expression")
		case t.peek("[:"):
			end := bytes.Index(t.src[t.pos:], []byte(":]"))
			if end < 0 || !posixClasses[string(t.src[t.pos+2:t.pos+end])] {
				return errRegexp("invalid character class")
			}
			t.out = append(t.out, t.src[t.pos:t.pos+end+2]...)
			t.pos += end + 2
		case t.peek("[."), t.peek("[="):
			return pgerr.Unsupported(0, "collating element in a regular expression")
		case c == '\\':
			if t.pos+1 < len(t.src) {
				if class, ok := classEscapes[t.src[t.pos+1]]; ok {
					if class[1] == '^' {
						return pgerr.Unsupported(0, "\\%c in brackets of a regular expression", t.src[t.pos+1])
					}
					t.out = append(t.out, class[1:len(class)-1]...)
					t.pos += 2
					continue
				}
			}
			if err := t.charEscape(); err != nil {
				return err
			}
		case c == '-':
			t.out = append(t.out, '-')
			t.pos++
		default:
			_, w := utf8.DecodeRune(t.src[t.pos:])
			if w == 1 && (c == '[' || c == ']' || c == '^') {
				t.out = append(t.out, '\\')
			}
			t.out = append(t.out, t.src[t.pos:t.pos+w]...)
			t.pos += w
		}
	}
}

var posixClasses = map[string]bool{
	"alnum": true, "alpha": true, "ascii": true, "blank": true, "cntrl": true, "digit": true, "graph": true,
	"lower": true, "print": true, "punct": true, "space": true, "upper": true, "xdigit": true, "word": true,
}

func (t *regexpTranslator) peek(s string) bool {
	return bytes.HasPrefix(t.src[t.pos:], []byte(s))
}
