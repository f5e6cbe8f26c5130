package types

import (
	"math"
	"math/big"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// AppendNumericText appends PostgreSQL's text of a numeric.
func AppendNumericText(dst, p []byte) []byte {
	n := decodeNum(p)
	switch n.kind {
	case numNegInf:
		return append(dst, "-Infinity"...)
	case numPosInf:
		return append(dst, "Infinity"...)
	case numNaN:
		return append(dst, "NaN"...)
	}
	if n.sign() < 0 {
		dst = append(dst, '-')
	}
	var buf [24]byte
	var digits []byte
	if n.kind == numSmall {
		digits = strconv.AppendUint(buf[:0], absInt64(n.coef), 10)
	} else {
		digits = n.big.Append(nil, 10)
		if digits[0] == '-' {
			digits = digits[1:]
		}
	}
	scale := int(n.scale)
	if scale == 0 {
		return append(dst, digits...)
	}
	if k := len(digits) - scale; k > 0 {
		dst = append(append(dst, digits[:k]...), '.')
		return append(dst, digits[k:]...)
	}
	dst = append(dst, '0', '.')
	for range scale - len(digits) {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// NumericParse appends the payload of PostgreSQL's input text of a numeric.
func NumericParse(dst, text []byte) ([]byte, error) {
	s := trimSpace(text)
	rest, neg := s, false
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		neg = rest[0] == '-'
		rest = rest[1:]
	}
	// The short plain form: at most 18 digits, no exponent.
	if len(rest) > 0 && len(rest) <= 19 {
		if v, scale, ok := parseShortDecimal(rest); ok {
			if neg {
				v = -v
			}
			return AppendNumericSmall(dst, v, scale), nil
		}
	}
	return parseNumericSlow(dst, text, s, rest, neg)
}

// parseShortDecimal parses digits with at most one point among them.
func parseShortDecimal(s []byte) (v int64, scale int, ok bool) {
	point, n := -1, 0
	for i, c := range s {
		switch {
		case c-'0' <= 9:
			v = v*10 + int64(c-'0')
			n++
		case c == '.' && point < 0:
			point = i
		default:
			return 0, 0, false
		}
	}
	if n == 0 || n > 18 {
		return 0, 0, false
	}
	if point >= 0 {
		scale = len(s) - point - 1
	}
	return v, scale, true
}

func parseNumericSlow(dst, text, s, rest []byte, neg bool) ([]byte, error) {
	if len(rest) == 0 || rest[0] != '.' && rest[0]-'0' > 9 {
		switch {
		case equalFold(rest, "infinity"), equalFold(rest, "inf"):
			if neg {
				return append(dst, numNegInf), nil
			}
			return append(dst, numPosInf), nil
		case equalFold(s, "nan"):
			return append(dst, numNaN), nil
		}
		return dst, errSyntax("numeric", text)
	}
	digits := make([]byte, 0, len(rest))
	frac, i := -1, 0
scan:
	for ; i < len(rest); i++ {
		switch c := rest[i]; {
		case c-'0' <= 9:
			digits = append(digits, c)
		case c == '.' && frac < 0:
			frac = len(digits)
		default:
			break scan
		}
	}
	if len(digits) == 0 {
		return dst, errSyntax("numeric", text)
	}
	scale := 0
	if frac >= 0 {
		scale = len(digits) - frac
	}
	if i < len(rest) {
		exp, ok := parseExponent(rest[i:])
		if !ok {
			return dst, errSyntax("numeric", text)
		}
		if exp >= math.MaxInt32/2 || exp <= -math.MaxInt32/2 {
			return dst, errNumericFormat()
		}
		scale -= exp
	}
	return appendNumDigits(dst, digits, scale, neg)
}

// parseExponent parses e[+-]digits; digits beyond reach saturate.
func parseExponent(s []byte) (int, bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	neg := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, false
	}
	exp := 0
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		exp = min(exp*10+int(c-'0'), math.MaxInt32)
	}
	if neg {
		exp = -exp
	}
	return exp, true
}

// appendNumDigits appends the numeric digits × 10^−scale; a negative scale
// becomes zeros.
func appendNumDigits(dst, digits []byte, scale int, neg bool) ([]byte, error) {
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	if scale > numericMaxScale {
		return dst, errNumericFormat()
	}
	if digits[0] == '0' {
		return AppendNumericSmall(dst, 0, max(scale, 0)), nil
	}
	if len(digits)-scale > numericMaxIntDigits {
		return dst, errNumericFormat()
	}
	for ; scale < 0; scale++ {
		digits = append(digits, '0')
	}
	if len(digits) <= 18 {
		v, _, _ := parseShortDecimal(digits)
		if neg {
			v = -v
		}
		return AppendNumericSmall(dst, v, scale), nil
	}
	b, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		panic("numeric: digits are not digits")
	}
	if neg {
		b.Neg(b)
	}
	return appendNumBig(dst, b, scale), nil
}

// NumericApplyMod appends p rounded to the scale of a type modifier, or p
// itself if mod < 4; 22003 if it does not fit the precision.
func NumericApplyMod(dst, p []byte, mod int32) ([]byte, error) {
	if mod < 4 {
		return append(dst, p...), nil
	}
	precision, scale := numericMod(mod)
	n := decodeNum(p)
	switch {
	case n.kind == numNaN:
		return append(dst, p...), nil
	case n.special():
		return dst, errNumericField().WithDetail(
			"A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	if n.kind == numSmall && scale >= 0 && precision < len(pow10) {
		v, ok := n.coef, true
		if int(n.scale) > scale {
			v = roundSmall(v, int(n.scale)-scale)
		} else {
			v, ok = mulPow10(v, scale-int(n.scale))
		}
		if !ok || absInt64(v) >= uint64(pow10[precision]) {
			return dst, errNumericPrecision(precision, scale)
		}
		return AppendNumericSmall(dst, v, scale), nil
	}
	// Round at scale, which may be left of the point, then fill up with zeros.
	b := rescaleBig(n.bigCoef(), int(n.scale), scale)
	if b.CmpAbs(pow10Big(precision)) >= 0 {
		return dst, errNumericPrecision(precision, scale)
	}
	if scale < 0 {
		b = new(big.Int).Mul(b, pow10Big(-scale))
		scale = 0
	}
	return appendNumBig(dst, b, scale), nil
}

// rescaleBig moves a coefficient from one scale to another, rounding half
// away from zero.
func rescaleBig(b *big.Int, from, to int) *big.Int {
	if to >= from {
		return new(big.Int).Mul(b, pow10Big(to-from))
	}
	return roundBig(b, from-to)
}

func errNumericField() *pgerr.Error {
	return pgerr.Newf(pgerr.NumericValueOutOfRange, "numeric field overflow")
}

func errNumericPrecision(precision, scale int) error {
	limit := "1"
	if precision != scale {
		limit = "10^" + strconv.Itoa(precision-scale)
	}
	return errNumericField().WithDetail(
		"A field with precision %d, scale %d must round to an absolute value less than %s.",
		precision, scale, limit)
}
