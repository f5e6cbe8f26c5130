package types

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// PostgreSQL's rules for the scale of results.
const (
	numMinSigDigits    = 16   // significant digits of an inexact result, at least
	numMaxDisplayScale = 1000 // scale of an inexact result, at most
	numMaxResultScale  = 2000
)

// ErrDivisionByZero is PostgreSQL's 22012.
func ErrDivisionByZero() error {
	return pgerr.Newf(pgerr.DivisionByZero, "division by zero")
}

func appendInf(dst []byte, sign int) []byte {
	if sign < 0 {
		return append(dst, numNegInf)
	}
	return append(dst, numPosInf)
}

// NumericAdd appends a + b, at the greater scale.
func NumericAdd(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	return addNum(dst, &x, &y)
}

// NumericSub appends a − b, at the greater scale.
func NumericSub(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	y.neg()
	return addNum(dst, &x, &y)
}

// neg negates in place.
func (n *num) neg() {
	switch n.kind {
	case numPosInf:
		n.kind = numNegInf
	case numNegInf:
		n.kind = numPosInf
	case numSmall:
		if n.coef == math.MinInt64 {
			n.kind, n.big = numBigPos, new(big.Int).Neg(big.NewInt(n.coef))
			return
		}
		n.coef = -n.coef
	case numBigPos:
		n.big.Neg(n.big)
	}
}

func addNum(dst []byte, x, y *num) ([]byte, error) {
	if x.special() || y.special() {
		switch {
		case x.kind == numNaN || y.kind == numNaN || x.special() && y.special() && x.kind != y.kind:
			return append(dst, numNaN), nil
		case x.special():
			return append(dst, x.kind), nil
		}
		return append(dst, y.kind), nil
	}
	if x.kind == numSmall && y.kind == numSmall {
		u, v, ok := x.coef, y.coef, true
		if x.scale < y.scale {
			u, ok = mulPow10(u, int(y.scale-x.scale))
		} else if x.scale > y.scale {
			v, ok = mulPow10(v, int(x.scale-y.scale))
		}
		if ok {
			if s, ok := addInt64(u, v); ok || v == 0 {
				return AppendNumericSmall(dst, s, int(max(x.scale, y.scale))), nil
			}
		}
	}
	u, v, scale := alignBig(x, y)
	return appendNumChecked(dst, new(big.Int).Add(u, v), scale)
}

// NumericMul appends a × b, at the sum of the scales.
func NumericMul(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	if x.special() || y.special() {
		if x.kind == numNaN || y.kind == numNaN || x.sign() == 0 || y.sign() == 0 {
			return append(dst, numNaN), nil
		}
		return appendInf(dst, x.sign()*y.sign()), nil
	}
	scale := int(x.scale + y.scale)
	if x.kind == numSmall && y.kind == numSmall && scale <= numericMaxScale {
		if v, ok := mulInt64(x.coef, y.coef); ok {
			return AppendNumericSmall(dst, v, scale), nil
		}
	}
	p := new(big.Int).Mul(x.bigCoef(), y.bigCoef())
	if scale > numericMaxScale {
		p, scale = roundBig(p, scale-numericMaxScale), numericMaxScale
	}
	return appendNumChecked(dst, p, scale)
}

// NumericDiv appends a ÷ b rounded half away from zero, at the scale that
// PostgreSQL selects.
func NumericDiv(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	if x.special() || y.special() {
		switch {
		case x.kind == numNaN || y.kind == numNaN || x.special() && y.special():
			return append(dst, numNaN), nil
		case y.special():
			return AppendNumericSmall(dst, 0, 0), nil
		case y.sign() == 0:
			return dst, ErrDivisionByZero()
		}
		return appendInf(dst, x.sign()*y.sign()), nil
	}
	if y.sign() == 0 {
		return dst, ErrDivisionByZero()
	}
	scale := divScale(&x, &y)
	shift := scale + int(y.scale) - int(x.scale)
	if x.kind == numSmall && y.kind == numSmall {
		if q, ok := divSmall(x.coef, y.coef, shift); ok {
			return AppendNumericSmall(dst, q, scale), nil
		}
	}
	n := new(big.Int).Mul(x.bigCoef(), pow10Big(shift))
	return appendNumChecked(dst, divRound(n, y.bigCoef()), scale)
}

// divRound divides, rounding half away from zero.
func divRound(n, d *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(n, d, new(big.Int))
	if r.Lsh(r.Abs(r), 1).CmpAbs(d) >= 0 {
		q.Add(q, big.NewInt(int64(n.Sign()*d.Sign())))
	}
	return q
}

// divSmall gives u × 10^shift ÷ v, rounded half away from zero, and whether
// that fits an int64.
func divSmall(u, v int64, shift int) (int64, bool) {
	n, d := absInt64(u), absInt64(v)
	var q, r uint64
	for first := true; first || shift > 0; first = false {
		step := min(shift, len(pow10)-1)
		if !first {
			n = r
		}
		hi, lo := bits.Mul64(n, uint64(pow10[step]))
		if hi >= d {
			return 0, false
		}
		var part uint64
		part, r = bits.Div64(hi, lo, d)
		qhi, qlo := bits.Mul64(q, uint64(pow10[step]))
		sum, carry := bits.Add64(qlo, part, 0)
		if qhi != 0 || carry != 0 {
			return 0, false
		}
		q = sum
		shift -= step
	}
	if r >= d-r {
		q++
	}
	if q > math.MaxInt64 {
		return 0, false
	}
	if (u < 0) != (v < 0) {
		return -int64(q), true
	}
	return int64(q), true
}

// lead gives the place and the value of the first digit to the base 10000,
// PostgreSQL's weight; 0, 0 for zero.
func (n *num) lead() (weight, digit int) {
	if n.sign() == 0 {
		return 0, 0
	}
	e := n.digits() - 1 - int(n.scale) // decimal exponent of the first digit
	weight = floorDiv(e, 4)
	keep := e - 4*weight + 1 // its decimal digits in the first group
	drop := n.digits() - keep
	if n.kind == numSmall {
		u := absInt64(n.coef)
		if drop < 0 {
			return weight, int(u * uint64(pow10[-drop]))
		}
		return weight, int(u / uint64(pow10[drop]))
	}
	b := new(big.Int).Abs(n.big)
	if drop < 0 {
		return weight, int(b.Mul(b, pow10Big(-drop)).Int64())
	}
	return weight, int(b.Quo(b, pow10Big(drop)).Int64())
}

// digits gives the number of decimal digits of the coefficient, 1 for zero.
func (n *num) digits() int {
	if n.kind == numSmall {
		return digitsUint64(absInt64(n.coef))
	}
	return digitsBig(n.big)
}

func digitsUint64(u uint64) int {
	d := 1
	for d < len(pow10) && u >= uint64(pow10[d]) {
		d++
	}
	return d
}

func digitsBig(b *big.Int) int {
	if b.IsInt64() {
		return digitsUint64(absInt64(b.Int64()))
	}
	d := int(float64(b.BitLen()-1)*math.Log10(2)) + 1 // too few by one at most
	if b.CmpAbs(pow10Big(d)) >= 0 {
		d++
	}
	return d
}

// divScale selects the scale of a quotient as PostgreSQL does.
func divScale(x, y *num) int {
	w1, d1 := x.lead()
	w2, d2 := y.lead()
	qweight := w1 - w2
	if d1 <= d2 {
		qweight--
	}
	return clampScale(numMinSigDigits-qweight*4, x, y)
}

// clampScale raises a result's scale to those of the operands and keeps it in
// bounds.
func clampScale(scale int, operands ...*num) int {
	scale = max(scale, 0)
	for _, n := range operands {
		scale = max(scale, int(n.scale))
	}
	return min(scale, numMaxDisplayScale)
}

// NumericRem appends the remainder of a ÷ b with the sign of a, at the
// greater scale.
func NumericRem(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	switch {
	case x.kind == numNaN || y.kind == numNaN:
		return append(dst, numNaN), nil
	case x.special():
		if y.sign() == 0 {
			return dst, ErrDivisionByZero()
		}
		return append(dst, numNaN), nil
	case y.special():
		return append(dst, a...), nil
	case y.sign() == 0:
		return dst, ErrDivisionByZero()
	}
	if x.kind == numSmall && y.kind == numSmall && x.scale == y.scale && y.coef != -1 {
		return AppendNumericSmall(dst, x.coef%y.coef, int(x.scale)), nil
	}
	u, v, scale := alignBig(&x, &y)
	return appendNumBig(dst, new(big.Int).Rem(u, v), scale), nil
}

// NumericQuo appends the integer quotient of a ÷ b, PostgreSQL's div(a, b).
func NumericQuo(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	if x.special() || y.special() || y.sign() == 0 {
		return NumericDiv(dst, a, b)
	}
	u, v, _ := alignBig(&x, &y)
	return appendNumChecked(dst, new(big.Int).Quo(u, v), 0)
}

// NumericNeg appends −p.
func NumericNeg(dst, p []byte) []byte {
	n := decodeNum(p)
	n.neg()
	return n.append(dst)
}

// NumericAbs appends |p|.
func NumericAbs(dst, p []byte) []byte {
	if n := decodeNum(p); n.sign() < 0 {
		n.neg()
		return n.append(dst)
	}
	return append(dst, p...)
}

func (n *num) append(dst []byte) []byte {
	switch n.kind {
	case numSmall:
		return AppendNumericSmall(dst, n.coef, int(n.scale))
	case numBigPos:
		return appendNumBig(dst, n.big, int(n.scale))
	}
	return append(dst, n.kind)
}

// NumericRound appends p rounded half away from zero at a scale, which may be
// negative. The result has that scale, 0 if it is negative.
func NumericRound(dst, p []byte, scale int) ([]byte, error) {
	return numericCut(dst, p, scale, true)
}

// NumericTrunc appends p cut at a scale, which may be negative.
func NumericTrunc(dst, p []byte, scale int) ([]byte, error) {
	return numericCut(dst, p, scale, false)
}

func numericCut(dst, p []byte, scale int, round bool) ([]byte, error) {
	n := decodeNum(p)
	if n.special() {
		return append(dst, p...), nil
	}
	scale = max(min(scale, numMaxResultScale), -numMaxResultScale)
	drop := int(n.scale) - scale
	if n.kind == numSmall && scale >= 0 {
		if drop > 0 {
			v := n.coef
			switch {
			case round:
				v = roundSmall(v, drop)
			case drop < len(pow10):
				v /= pow10[drop]
			default:
				v = 0
			}
			return AppendNumericSmall(dst, v, scale), nil
		}
		if v, ok := mulPow10(n.coef, -drop); ok {
			return AppendNumericSmall(dst, v, scale), nil
		}
	}
	b := n.bigCoef()
	switch {
	case drop <= 0:
		b = new(big.Int).Mul(b, pow10Big(-drop))
	case round:
		b = roundBig(b, drop)
	default:
		b = new(big.Int).Quo(b, pow10Big(drop))
	}
	if scale < 0 {
		b = new(big.Int).Mul(b, pow10Big(-scale))
		scale = 0
	}
	return appendNumChecked(dst, b, scale)
}

// NumericCeil appends the least integer that is not less than p.
func NumericCeil(dst, p []byte) ([]byte, error) { return numericToward(dst, p, 1) }

// NumericFloor appends the greatest integer that is not greater than p.
func NumericFloor(dst, p []byte) ([]byte, error) { return numericToward(dst, p, -1) }

func numericToward(dst, p []byte, sign int) ([]byte, error) {
	n := decodeNum(p)
	if n.special() {
		return append(dst, p...), nil
	}
	if n.kind == numSmall {
		if int(n.scale) >= len(pow10) {
			if n.sign() == sign {
				return AppendNumericSmall(dst, int64(sign), 0), nil
			}
			return AppendNumericSmall(dst, 0, 0), nil
		}
		q, r := n.coef/pow10[n.scale], n.coef%pow10[n.scale]
		if compareInt64(r, 0) == sign {
			q += int64(sign)
		}
		return AppendNumericSmall(dst, q, 0), nil
	}
	q, r := new(big.Int).QuoRem(n.big, pow10Big(int(n.scale)), new(big.Int))
	if r.Sign() == sign {
		q.Add(q, big.NewInt(int64(sign)))
	}
	return appendNumChecked(dst, q, 0)
}

// NumericIsInteger reports whether p is a finite whole number.
func NumericIsInteger(p []byte) bool {
	n := decodeNum(p)
	if n.special() {
		return false
	}
	if n.kind == numSmall {
		if int(n.scale) >= len(pow10) {
			return n.coef == 0
		}
		return n.coef%pow10[n.scale] == 0
	}
	return new(big.Int).Rem(n.big, pow10Big(int(n.scale))).Sign() == 0
}

// NumericMinScale gives the least scale that holds p exactly.
func NumericMinScale(p []byte) int {
	n := decodeNum(p)
	if n.special() {
		return 0
	}
	scale, b, r := int(n.scale), new(big.Int).Set(n.bigCoef()), new(big.Int)
	if b.Sign() == 0 {
		return 0
	}
	for q := new(big.Int); scale > 0; scale-- {
		if q.QuoRem(b, bigTen, r); r.Sign() != 0 {
			break
		}
		b, q = q, b
	}
	return scale
}
