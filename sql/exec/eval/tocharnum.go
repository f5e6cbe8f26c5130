package eval

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// numberFormatFuncs are to_char of numbers and to_number. Signs, point, group
// separator and currency are those of the C locale.
var numberFormatFuncs = map[string]impl{
	"to_char(int4,text)":    charNumber(digitsOfInt4),
	"to_char(int8,text)":    charNumber(digitsOfInt8),
	"to_char(float4,text)":  charNumber(func(d types.Datum, n *numberDesc) (shownNumber, error) { return digitsOfFloat(d.Float(), 32, n) }),
	"to_char(float8,text)":  charNumber(func(d types.Datum, n *numberDesc) (shownNumber, error) { return digitsOfFloat(d.Float(), 64, n) }),
	"to_char(numeric,text)": charNumber(func(d types.Datum, n *numberDesc) (shownNumber, error) { return digitsOfNumeric(d.B, n) }),
	"to_number(text,text)":  templated(true, toNumber),
}

// templated makes a builder of a function whose last argument is a template; a constant one is parsed once.
func templated(number bool, run func(f *Frame, a types.Datum, t *template) (types.Datum, error)) builder {
	return func(c *compiler, call *scalar.Call) (impl, error) {
		if k, ok := constArg(call, 1); ok && len(k.B) > 0 {
			t, err := parseTemplate(k.B, number)
			return fn2(func(f *Frame, a, _ types.Datum) (types.Datum, error) {
				if err != nil {
					return a, err
				}
				return run(f, a, t)
			}), nil
		}
		return fn2(func(f *Frame, a, p types.Datum) (types.Datum, error) {
			if len(p.B) == 0 {
				return run(f, a, nil)
			}
			t, err := parseTemplate(p.B, number)
			if err != nil {
				return a, err
			}
			return run(f, a, t)
		}), nil
	}
}

// A shownNumber is a number as digits, with a point if there is one, ready to
// be poured into a template.
type shownNumber struct {
	digits []byte
	sign   byte // + or −; 0 for those that are whole already
	blanks int  // of the template's digits before the first one
}

func charNumber(digits func(d types.Datum, n *numberDesc) (shownNumber, error)) builder {
	return templated(true, func(f *Frame, a types.Datum, t *template) (types.Datum, error) {
		if t == nil {
			return f.keep(f.out()), nil
		}
		desc := t.num
		s, err := digits(a, &desc)
		if err != nil {
			return a, err
		}
		w := numberWriter{numberDesc: desc, shownNumber: s, out: f.out(), relevant: -1}
		out := w.write(t)
		return f.keepErr(out, w.err)
	})
}

// fit pads or, where the digits before the point are too many, replaces them by #.
func fit(digits []byte, n *numberDesc) shownNumber {
	s := shownNumber{digits: digits, sign: '+'}
	if len(digits) > 0 && digits[0] == '-' {
		s.sign, s.digits = '-', digits[1:]
	}
	pre := bytes.IndexByte(s.digits, '.')
	if pre < 0 {
		pre = len(s.digits)
	}
	switch {
	case pre < n.pre:
		s.blanks = n.pre - pre
	case pre > n.pre:
		s.digits = bytes.Repeat([]byte("#"), n.pre+n.post+1)
		s.digits[n.pre] = '.'
	}
	return s
}

// fitInt is fit for an integer, which gets zeros behind the point.
func fitInt(v int64, n *numberDesc) shownNumber {
	digits := strconv.AppendInt(nil, v, 10)
	if n.post > 0 {
		digits = append(append(digits, '.'), strings.Repeat("0", n.post)...)
	}
	return fit(digits, n)
}

func digitsOfInt4(d types.Datum, n *numberDesc) (shownNumber, error) {
	v := d.I
	switch {
	case n.roman:
		return shownNumber{digits: roman(v)}, nil
	case n.exponent:
		return shownNumber{digits: scientific(float64(v), 64, n.post)}, nil
	case n.shift:
		factor := int32(math.MinInt32) // what C makes of a power that does not fit
		if n.multi < 10 {
			factor = int32(math.Pow10(n.multi))
		}
		v = int64(int32(v) * factor)
		n.pre += n.multi
	}
	return fitInt(v, n), nil
}

func digitsOfInt8(d types.Datum, n *numberDesc) (shownNumber, error) {
	v := d.I
	switch {
	case n.roman:
		if !types.IntInRange(types.Int4, v) {
			return shownNumber{}, types.ErrOutOfRange(types.Int4)
		}
		return shownNumber{digits: roman(v)}, nil
	case n.exponent:
		return scientificNumeric(types.NumericFromInt64(nil, v), n)
	case n.shift:
		if n.multi > 18 {
			return shownNumber{}, types.ErrOutOfRange(types.Int8)
		}
		p, err := types.NumericMul(nil, types.NumericFromInt64(nil, v), types.NumericFromInt64(nil, int64(math.Pow10(n.multi))))
		if err != nil {
			return shownNumber{}, err
		}
		if v, err = types.NumericToInt64(p); err != nil {
			return shownNumber{}, err
		}
		n.pre += n.multi
	}
	return fitInt(v, n), nil
}

// digitsOfFloat shows a float of 32 or 64 bits with its 6 or 15 sure digits.
func digitsOfFloat(v float64, bits int, n *numberDesc) (shownNumber, error) {
	sure := 15
	if bits == 32 {
		sure = 6
	}
	switch {
	case n.roman:
		if r := math.RoundToEven(v); r >= 1 && r <= 3999 {
			return shownNumber{digits: roman(int64(r))}, nil
		}
		return shownNumber{digits: roman(0)}, nil
	case n.exponent:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return shownNumber{digits: overflowed(n)}, nil
		}
		return shownNumber{digits: scientific(v, bits, n.post)}, nil
	case n.shift:
		if factor := math.Pow10(n.multi); bits == 32 {
			v = float64(float32(v) * float32(factor))
		} else {
			v *= factor
		}
		n.pre += n.multi
	}
	whole := len(plainFloat(math.Abs(v), 0))
	if whole >= sure {
		n.post = 0
	} else {
		n.post = min(n.post, sure-whole)
	}
	return fit(plainFloat(v, n.post), n), nil
}

// plainFloat is C's %.*f.
func plainFloat(v float64, prec int) []byte {
	switch {
	case math.IsNaN(v):
		return []byte("NaN")
	case math.IsInf(v, 1):
		return []byte("Infinity")
	case math.IsInf(v, -1):
		return []byte("-Infinity")
	}
	return strconv.AppendFloat(nil, v, 'f', prec, 64)
}

// scientific is C's %+.*e with a blank for the plus.
func scientific(v float64, bits, prec int) []byte {
	out := []byte(" ")
	if math.Signbit(v) {
		out = out[:0]
	}
	return strconv.AppendFloat(out, v, 'e', prec, 64)
}

// overflowed is what takes the place of a number that has no exponent.
func overflowed(n *numberDesc) []byte {
	s := bytes.Repeat([]byte("#"), n.pre+n.post+6)
	s[0] = ' '
	s[n.pre+1] = '.'
	return s
}

func digitsOfNumeric(p []byte, n *numberDesc) (shownNumber, error) {
	var err error
	switch {
	case n.roman:
		v, err := types.NumericToInt(types.Int4, p)
		return shownNumber{digits: roman(v)}, err
	case n.exponent:
		return scientificNumeric(p, n)
	case n.shift:
		var factor []byte
		if factor, err = types.NumericPower(nil, types.NumericFromInt64(nil, 10), types.NumericFromInt64(nil, int64(n.multi))); err == nil {
			p, err = types.NumericMul(nil, p, factor)
		}
		if err != nil {
			return shownNumber{}, err
		}
		n.pre += n.multi
	}
	if p, err = types.NumericRound(nil, p, n.post); err != nil {
		return shownNumber{}, err
	}
	return fit(types.AppendNumericText(nil, p), n), nil
}

// scientificNumeric writes a numeric with an exponent. The significand is
// rounded last, so that it may come out as 10.
func scientificNumeric(p []byte, n *numberDesc) (shownNumber, error) {
	if types.NumericIsNaN(p) || types.NumericIsInf(p, 0) {
		return shownNumber{digits: overflowed(n)}, nil
	}
	text := types.AppendNumericText(nil, p)
	exp := 0
	if types.NumericSign(p) != 0 {
		digits := bytes.TrimPrefix(text, []byte("-"))
		whole, fraction, _ := bytes.Cut(digits, []byte("."))
		if exp = len(whole) - 1; whole[0] == '0' {
			exp = -1
			for fraction[-exp-1] == '0' {
				exp--
			}
		}
		shifted, err := types.NumericParse(nil, append(text, "e"+strconv.Itoa(-exp)...))
		if err != nil {
			return shownNumber{}, err
		}
		p = shifted
	}
	p, err := types.NumericRound(nil, p, n.post)
	if err != nil {
		return shownNumber{}, err
	}
	out := types.AppendNumericText(nil, p)
	if out[0] != '-' {
		out = append([]byte(" "), out...)
	}
	out = append(out, 'e', '+')
	if exp < 0 {
		out[len(out)-1], exp = '-', -exp
	}
	return shownNumber{digits: appendPadded(out, int64(exp), 2)}, nil
}

var romanDigits = [3][9]string{
	{"C", "CC", "CCC", "CD", "D", "DC", "DCC", "DCCC", "CM"},
	{"X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"},
	{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"},
}

// roman writes a number of 1 to 3999 in Roman numerals.
func roman(v int64) []byte {
	if v < 1 || v > 3999 {
		return bytes.Repeat([]byte("#"), 15)
	}
	out := bytes.Repeat([]byte("M"), int(v/1000))
	for i, unit := range []int64{100, 10, 1} {
		if d := v / unit % 10; d > 0 {
			out = append(out, romanDigits[i][d-1]...)
		}
	}
	return out
}

// A numberWriter pours a number's digits into a template. A zero byte in what it writes
// ends the result, as it ends a string in C.
type numberWriter struct {
	numberDesc
	shownNumber
	out      []byte
	pos      int  // the next digit
	relevant int  // the last digit that FM keeps; −1: all
	current  int  // digits of the template seen
	count    int  // where the number ends
	started  bool // a digit has been written
	signed   bool // the sign has been written, or is not
	err      error
}

func (w *numberWriter) write(t *template) []byte {
	if w.exponent {
		return append(w.out, w.digits...)
	}
	if w.zeroStart > 0 {
		w.zeroStart--
	}
	if w.roman {
		w.numberDesc = numberDesc{fill: w.fill, roman: true, zeroStart: w.zeroStart, zeroEnd: w.zeroEnd}
		w.blanks = 0
	}
	w.placeSign()
	w.count = w.post + w.pre - 1
	if w.fill && w.decimal {
		w.findRelevant()
	}
	if !w.signed && w.blanks == 0 {
		w.count++
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.kind != nodeField {
			w.out = append(w.out, n.text...)
			continue
		}
		if !w.field(n.key) {
			return w.out
		}
	}
	return w.out
}

func (w *numberWriter) placeSign() {
	if w.plus || w.minus {
		w.signed = !w.plus || w.minus
		return
	}
	if w.shownNumber.sign != '-' && w.fill {
		w.bracket = false
	}
	w.signed = w.shownNumber.sign == '+' && w.fill && !w.anchored
	if w.numberDesc.sign == signBefore && w.pre == w.beforeSign {
		w.numberDesc.sign = signBehind
	}
}

// findRelevant finds the last digit that is not a trailing zero, or is asked for by a 0.
func (w *numberWriter) findRelevant() {
	point := bytes.IndexByte(w.digits, '.')
	if point < 0 {
		return
	}
	w.relevant = point
	for i := point + 1; i < len(w.digits); i++ {
		if w.digits[i] != '0' {
			w.relevant = i
		}
	}
	if w.zeroEnd > w.blanks {
		w.relevant = max(w.relevant, min(len(w.digits)-1, w.zeroEnd-w.blanks))
	}
}

// field writes one keyword; false: the result has ended.
func (w *numberWriter) field(k *templateKey) bool {
	sign := w.shownNumber.sign
	switch k.upper {
	case "9", "0", ".", "D":
		return w.roman || w.digit(k.upper == "0")
	case ",", "G":
		if w.started {
			w.out = append(w.out, ',')
		} else if !w.fill {
			w.out = append(w.out, ' ')
		}
	case "L":
		w.out = append(w.out, ' ')
	case "RN":
		if !w.fill {
			for range 15 - len(w.digits) {
				w.out = append(w.out, ' ')
			}
		}
		if k.name == "rn" {
			w.out = append(w.out, bytes.ToLower(w.digits)...)
		} else {
			w.out = append(w.out, w.digits...)
		}
	case "TH":
		if w.roman || w.digits[0] == '#' || sign == '-' || w.decimal {
			return true
		}
		if c := w.digits[len(w.digits)-1]; c < '0' || c > '9' {
			w.err = pgerr.Newf(pgerr.InvalidTextRepresentation, "\"%s\" is not a number", w.digits)
			return false
		}
		w.out = appendOrdinal(w.out, w.digits, k.name == "TH")
	case "MI":
		w.mark('-', sign == '-')
	case "PL":
		w.mark('+', sign == '+')
	case "SG":
		if sign == 0 {
			return false
		}
		w.out = append(w.out, sign)
	}
	return true
}

// mark writes a sign, or a blank in its place.
func (w *numberWriter) mark(c byte, there bool) {
	if there {
		w.out = append(w.out, c)
	} else if !w.fill {
		w.out = append(w.out, ' ')
	}
}

// leading says that the next digit is a lone zero before the point, which only a 0 shows.
func (w *numberWriter) leading() bool {
	return !w.zero && w.pos == 0 && w.post != 0 && len(w.digits) > 0 && w.digits[0] == '0'
}

// atPoint says that FM keeps no digit behind the point.
func (w *numberWriter) atPoint() bool { return w.relevant >= 0 && w.digits[w.relevant] == '.' }

func (w *numberWriter) digit(zero bool) bool {
	w.started = false
	if !w.signed && (w.current >= w.blanks || w.zero && w.zeroStart == w.current) && (!w.leading() || w.atPoint()) {
		w.writeSign()
	}
	switch {
	case w.current < w.blanks && (w.zeroStart > w.current || !w.zero):
		if !w.fill {
			w.out = append(w.out, ' ')
		}
	case w.zero && w.current < w.blanks:
		w.out = append(w.out, '0')
		w.started = true
	case w.pos >= len(w.digits):
		if !(w.relevant >= 0 && w.pos > w.relevant && !zero) {
			return false
		}
	default:
		w.writeDigit(zero)
		w.pos++
	}
	end := w.count
	if w.blanks > 0 {
		end++
	}
	if w.decimal {
		end++
	}
	if w.relevant >= 0 && w.relevant == w.pos {
		end = w.current
	}
	if w.current+1 == end {
		if w.signed && w.bracket {
			w.out = append(w.out, pickByte(w.shownNumber.sign == '+', ' ', '>'))
		} else if w.anchored && w.numberDesc.sign == signBehind {
			w.out = append(w.out, pickByte(w.shownNumber.sign == '-', '-', '+'))
		}
	}
	w.current++
	return true
}

func (w *numberWriter) writeDigit(zero bool) {
	switch c := w.digits[w.pos]; {
	case c == '.':
		if !w.atPoint() || w.fill {
			w.out = append(w.out, '.')
		}
	case w.relevant >= 0 && w.pos > w.relevant && !zero:
	case w.leading():
		if !w.fill {
			w.out = append(w.out, ' ')
		} else if w.atPoint() {
			w.out = append(w.out, '0')
		}
	default:
		w.out = append(w.out, c)
		w.started = true
	}
}

func (w *numberWriter) writeSign() {
	sign := w.shownNumber.sign
	switch {
	case w.anchored:
		if w.numberDesc.sign != signBefore {
			return
		}
		w.out = append(w.out, pickByte(sign == '-', '-', '+'))
	case w.bracket:
		w.out = append(w.out, pickByte(sign == '+', ' ', '<'))
	case sign == '+':
		if !w.fill {
			w.out = append(w.out, ' ')
		}
	case sign == '-':
		w.out = append(w.out, '-')
	default:
		return
	}
	w.signed = true
}

func pickByte(cond bool, yes, no byte) byte {
	if cond {
		return yes
	}
	return no
}
