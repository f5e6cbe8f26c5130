package eval

import (
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// toNumber reads a number as a template says; no template gives NULL.
func toNumber(f *Frame, a types.Datum, t *template) (types.Datum, error) {
	if t == nil {
		return types.NullDatum, nil
	}
	switch {
	case t.num.exponent:
		return a, pgerr.Newf(pgerr.FeatureNotSupported, `"EEEE" not supported for input`)
	case t.num.roman:
		return a, pgerr.Newf(pgerr.FeatureNotSupported, `"RN" not supported for input`)
	}
	r := numberReader{numberDesc: t.num, in: a.B, out: []byte{' '}}
	r.read(t)
	if n := len(r.out); r.out[n-1] == '.' {
		r.out = r.out[:n-1]
	}
	typ := types.Type{OID: types.Numeric, Mod: types.NumericMod(t.num.pre+t.num.multi+r.behind, r.behind)}
	value, err := types.AppendFromText(f.out(), typ, r.out)
	if err != nil {
		return a, err
	}
	d := f.keepValue(types.Numeric, value)
	if !t.num.shift || d.Null {
		return d, nil
	}
	factor, err := types.NumericPower(nil, types.NumericFromInt64(nil, 10), types.NumericFromInt64(nil, -int64(t.num.multi)))
	if err != nil {
		return a, err
	}
	return f.keepErr(types.NumericMul(f.out(), d.B, factor))
}

// A numberReader picks sign, digits and point out of a text.
type numberReader struct {
	numberDesc
	in      []byte
	pos     int
	out     []byte // the sign or a blank, then digits
	ahead   int    // digits read before the point
	behind  int    // and behind it
	pointed bool
}

func (r *numberReader) end() bool { return r.pos >= len(r.in) }

// skip passes up to n characters that cannot be part of a number.
func (r *numberReader) skip(n int) {
	for ; n > 0 && !r.end(); n-- {
		switch c := r.in[r.pos]; {
		case '0' <= c && c <= '9', c == '.', c == ',', c == '+', c == '-':
			return
		}
		r.char()
	}
}

// char passes one character.
func (r *numberReader) char() {
	_, w := utf8.DecodeRune(r.in[r.pos:])
	r.pos += w
}

func (r *numberReader) read(t *template) {
	for i := range t.nodes {
		if r.end() {
			return
		}
		n := &t.nodes[i]
		if n.kind != nodeField {
			r.char()
			continue
		}
		c := r.in[r.pos]
		switch key := n.key.upper; key {
		case "9", "0", ".", "D":
			r.digit(key == "9" || key == "0")
			r.pos++
		case ",", "G":
			if !r.fill && c == ',' {
				r.pos++
			}
		case "L":
			r.skip(1)
		case "TH":
			if !r.decimal {
				r.skip(2)
			}
		case "MI", "PL", "SG":
			if c == '-' && key != "PL" || c == '+' && key != "MI" {
				r.out[0] = c
				r.pos++
			} else {
				r.skip(1)
			}
		}
	}
}

// digit reads a digit or the point, and a sign before or behind it. It leaves the
// position at the last character read.
func (r *numberReader) digit(isDigit bool) {
	if r.end() {
		return
	}
	if r.in[r.pos] == ' ' {
		r.pos++
	}
	if r.end() {
		return
	}
	if r.out[0] == ' ' && isDigit && r.ahead+r.behind == 0 {
		switch c := r.in[r.pos]; {
		case c == '-', c == '<' && r.bracket:
			r.out[0] = '-'
			r.pos++
		case c == '+':
			r.out[0] = '+'
			r.pos++
		}
	}
	if r.end() {
		return
	}
	read := false
	switch c := r.in[r.pos]; {
	case '0' <= c && c <= '9':
		if r.pointed && r.behind == r.post {
			return
		}
		r.out = append(r.out, c)
		if r.pointed {
			r.behind++
		} else {
			r.ahead++
		}
		read = true
	case r.decimal && !r.pointed && c == '.':
		r.out = append(r.out, '.')
		r.pointed, read = true, true
	}
	if r.out[0] != ' ' || r.ahead+r.behind == 0 {
		return
	}
	switch {
	case r.anchored && read && r.pos+1 < len(r.in):
		if c := r.in[r.pos+1]; c == '-' || c == '+' {
			r.out[0] = c
			r.pos++
		}
	case !read && (r.plus || r.minus):
		if c := r.in[r.pos]; c == '-' || c == '+' {
			r.out[0] = c
		}
	}
}
