package eval

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// formatFuncs are format() and the quoting functions.
var formatFuncs = map[string]impl{
	"quote_ident(text)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keep(appendIdent(f.out(), a.B)), nil
	}),
	"quote_literal(text)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keep(appendLiteral(f.out(), a.B)), nil
	}),
	"quote_literal(anyelement)":  builder(quoteAny),
	"quote_nullable(anyelement)": builder(quoteAny),
	"quote_nullable(text)":       builder(quoteAny),
	"format(text)":               builder(formatText), "format(text,any...)": builder(formatText),
}

// appendIdent quotes a name where PostgreSQL's quote_ident does.
func appendIdent(dst, name []byte) []byte {
	safe := len(name) > 0 && !reservedWords[string(name)]
	for i, c := range name {
		if !('a' <= c && c <= 'z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			safe = false
		}
	}
	if safe {
		return append(dst, name...)
	}
	dst = append(dst, '"')
	for _, c := range name {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func appendLiteral(dst, s []byte) []byte {
	if bytes.IndexByte(s, '\\') >= 0 {
		dst = append(dst, 'E')
	}
	dst = append(dst, '\'')
	for _, c := range s {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

func quoteAny(c *compiler, call *scalar.Call) (impl, error) {
	t := call.Args[0].Type().OID
	quote := func(f *Frame, a types.Datum) (types.Datum, error) {
		text := f.keep(castText(f, f.out(), t, a)).B
		return f.keep(appendLiteral(f.out(), text)), nil
	}
	if !call.Fn.NotStrict {
		return fn1(quote), nil
	}
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		if args[0].Null {
			return f.keepString("NULL"), nil
		}
		return quote(f, args[0])
	}), nil
}

// formatText is format(): %s, %I and %L with positions and widths.
func formatText(c *compiler, call *scalar.Call) (impl, error) {
	ts := argTypes(call.Args)
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		if args[0].Null {
			return types.NullDatum, nil
		}
		w := formatter{f: f, types: ts, args: args, src: args[0].B, next: 1}
		out, err := w.run()
		return f.keepErr(out, err)
	}), nil
}

// A formatter runs one format().
type formatter struct {
	f     *Frame
	types []types.OID
	args  []types.Datum
	src   []byte
	pos   int
	next  int // the next argument without a position
}

func errFormat(hint, text string, args ...any) error {
	e := pgerr.Newf(pgerr.InvalidParameterValue, text, args...)
	if hint != "" {
		e.Hint = hint
	}
	return e
}

func (w *formatter) run() ([]byte, error) {
	var out []byte
	for w.pos < len(w.src) {
		c := w.src[w.pos]
		w.pos++
		if c != '%' {
			out = append(out, c)
			continue
		}
		if w.pos >= len(w.src) {
			return nil, errUnterminated()
		}
		if w.src[w.pos] == '%' {
			out = append(out, '%')
			w.pos++
			continue
		}
		var err error
		if out, err = w.specifier(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func errUnterminated() error {
	return errFormat(`For a single "%" use "%%".`, "unterminated format() type specifier")
}

// number reads digits; false where there are none.
func (w *formatter) number() (int, bool, error) {
	start := w.pos
	n := 0
	for w.pos < len(w.src) && '0' <= w.src[w.pos] && w.src[w.pos] <= '9' {
		n = n*10 + int(w.src[w.pos]-'0')
		if n > 1<<31-1 {
			return 0, false, pgerr.Newf(pgerr.NumericValueOutOfRange, "number is out of range")
		}
		w.pos++
	}
	if w.pos >= len(w.src) {
		return 0, false, errUnterminated()
	}
	return n, w.pos > start, nil
}

// position reads n$; 0 where there is none.
func (w *formatter) position() (int, error) {
	start := w.pos
	n, some, err := w.number()
	if err != nil || !some || w.src[w.pos] != '$' {
		w.pos = start
		return 0, err
	}
	if w.pos++; n == 0 {
		return 0, errFormat("", "format specifies argument 0, but arguments are numbered from 1")
	}
	if w.pos >= len(w.src) {
		return 0, errUnterminated()
	}
	return n, nil
}

// arg gives the number of the argument to use.
func (w *formatter) arg(position int) (int, error) {
	i := position
	if i == 0 {
		i = w.next
	}
	w.next = i + 1
	if i >= len(w.args) {
		return 0, errFormat("", "too few arguments for format()")
	}
	return i, nil
}

func (w *formatter) specifier(out []byte) ([]byte, error) {
	at, err := w.position()
	if err != nil {
		return nil, err
	}
	left, width := false, 0
	for w.src[w.pos] == '-' {
		left = true
		if w.pos++; w.pos >= len(w.src) {
			return nil, errUnterminated()
		}
	}
	if w.src[w.pos] == '*' {
		if w.pos++; w.pos >= len(w.src) {
			return nil, errUnterminated()
		}
		p, err := w.position()
		if err != nil {
			return nil, err
		}
		if width, err = w.widthArg(p); err != nil {
			return nil, err
		}
	} else if width, _, err = w.number(); err != nil {
		return nil, err
	}
	if width < 0 {
		left, width = true, -width
	}
	verb := w.src[w.pos]
	if verb != 's' && verb != 'I' && verb != 'L' {
		n := runeOffset(w.src[w.pos:], 1)
		return nil, errFormat(`For a single "%" use "%%".`, "unrecognized format() type specifier \"%s\"", w.src[w.pos:w.pos+n])
	}
	w.pos++
	i, err := w.arg(at)
	if err != nil {
		return nil, err
	}
	text, err := w.text(verb, i)
	if err != nil {
		return nil, err
	}
	fill := max(0, width-utf8.RuneCount(text))
	if !left {
		out = append(out, bytes.Repeat(blank.B, fill)...)
	}
	out = append(out, text...)
	if left {
		out = append(out, bytes.Repeat(blank.B, fill)...)
	}
	return out, nil
}

func (w *formatter) widthArg(p int) (int, error) {
	i, err := w.arg(p)
	if err != nil || w.args[i].Null {
		return 0, err
	}
	if isInt(w.types[i]) {
		return int(w.args[i].I), nil
	}
	d, err := types.ParseDatum(types.T(types.Int4), string(w.f.appendText(nil, w.types[i], w.args[i])))
	return int(d.I), err
}

func (w *formatter) text(verb byte, i int) ([]byte, error) {
	if w.args[i].Null {
		switch verb {
		case 'I':
			return nil, pgerr.Newf("22004", "null values cannot be formatted as an SQL identifier")
		case 'L':
			return []byte("NULL"), nil
		}
		return nil, nil
	}
	text := w.f.appendText(nil, w.types[i], w.args[i])
	switch verb {
	case 'I':
		return appendIdent(nil, text), nil
	case 'L':
		return appendLiteral(nil, text), nil
	}
	return text, nil
}

// appendPadded appends a number with leading zeros to a width; the sign counts.
func appendPadded(dst []byte, v int64, width int) []byte {
	digits := strconv.AppendInt(nil, v, 10)
	if v < 0 {
		dst, digits = append(dst, '-'), digits[1:]
		width--
	}
	for range width - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}
