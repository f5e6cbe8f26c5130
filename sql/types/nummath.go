package types

import (
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// log10E is what PostgreSQL estimates a result's digits with.
const log10E = 0.434294481903252

// guardDigits are computed beyond a result's scale before it is rounded.
const guardDigits = 12

// decimal gives a finite numeric as an apd.Decimal.
func (n *num) decimal() *apd.Decimal {
	return apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(n.bigCoef()), -n.scale)
}

// float gives the value as a float8, infinite where it overflows.
func (n *num) float() float64 {
	f, _, err := new(big.Float).SetPrec(64).SetMode(big.ToNearestEven).Parse(string(AppendNumericText(nil, n.append(nil))), 10)
	if err != nil {
		return math.NaN()
	}
	v, _ := f.Float64()
	return v
}

// appendDecimal appends d rounded half away from zero at a scale.
func appendDecimal(dst []byte, d *apd.Decimal, scale int) ([]byte, error) {
	b := new(big.Int).Set(d.Coeff.MathBigInt())
	if d.Negative {
		b.Neg(b)
	}
	from := -int(d.Exponent)
	if b.Sign() != 0 && digitsBig(b)-from > numericMaxIntDigits {
		return dst, errNumericFormat()
	}
	return appendNumChecked(dst, rescaleBig(b, from, scale), scale)
}

// context gives a context of so many significant digits.
func decimalContext(digits int) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(digits, guardDigits) + guardDigits))
	c.Rounding = apd.RoundHalfUp
	c.Traps = 0
	return c
}

// NumericSqrt appends the square root.
func NumericSqrt(dst, p []byte) ([]byte, error) {
	n := decodeNum(p)
	switch {
	case n.kind == numNaN || n.kind == numPosInf:
		return append(dst, p...), nil
	case n.sign() < 0:
		return dst, pgerr.Newf(pgerr.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	return n.sqrt(dst, clampScale(numMinSigDigits-n.sqrtWeight(), &n))
}

// sqrtWeight estimates the decimal weight of the square root.
func (n *num) sqrtWeight() int {
	w, _ := n.lead()
	return (w+1)*4/2 - 1
}

// sqrt appends the square root rounded at a scale.
func (n *num) sqrt(dst []byte, scale int) ([]byte, error) {
	// One digit more, cut, decides the rounding: a root is no half by itself.
	b := new(big.Int).Mul(n.bigCoef(), pow10Big(2*(scale+1)+int(n.scale)%2))
	drop := (int(n.scale) + int(n.scale)%2) / 2
	b.Sqrt(b)
	return appendNumChecked(dst, roundBig(b, drop+1), scale)
}

// NumericExp appends e^p.
func NumericExp(dst, p []byte) ([]byte, error) {
	n := decodeNum(p)
	switch n.kind {
	case numNaN, numPosInf:
		return append(dst, p...), nil
	case numNegInf:
		return AppendNumericSmall(dst, 0, 0), nil
	}
	val := n.float()
	weight := int(max(min(val*log10E, numMaxResultScale), -numMaxResultScale))
	return expDecimal(dst, n.decimal(), val, clampScale(numMinSigDigits-weight, &n))
}

// expDecimal appends e^d, where d is about val, rounded at a scale.
func expDecimal(dst []byte, d *apd.Decimal, val float64, scale int) ([]byte, error) {
	if math.Abs(val) >= numMaxResultScale*3 {
		if val > 0 {
			return dst, errNumericFormat()
		}
		return AppendNumericSmall(dst, 0, scale), nil
	}
	// e^d = (e^(d ÷ 2^k))^(2^k): the series converges fast for small powers.
	k := 0
	for ; math.Abs(val) > 1; k++ {
		val /= 2
	}
	digits := scale + k + guardDigits
	if d.Sign() > 0 {
		digits += int(math.Ldexp(val, k)*log10E) + 1
	}
	c := decimalContext(digits)
	var r apd.Decimal
	if _, err := c.Quo(&r, d, apd.NewWithBigInt(new(apd.BigInt).Lsh(apd.NewBigInt(1), uint(k)), 0)); err != nil {
		return dst, pgerr.Newf(pgerr.InternalError, "computing exp: %w", err)
	}
	if err := expSeries(c, &r); err != nil {
		return dst, pgerr.Newf(pgerr.InternalError, "computing exp: %w", err)
	}
	for range k {
		if _, err := c.Mul(&r, &r, &r); err != nil {
			return dst, pgerr.Newf(pgerr.InternalError, "computing exp: %w", err)
		}
	}
	return appendDecimal(dst, &r, scale)
}

// expSeries replaces x, of at most about 1, by e^x. (apd's own gives up after some number of terms.)
func expSeries(c *apd.Context, x *apd.Decimal) error {
	sum, term, n := apd.New(1, 0), apd.New(1, 0), apd.New(0, 0)
	for i := int64(1); ; i++ {
		n.SetInt64(i)
		if _, err := c.Mul(term, term, x); err != nil {
			return err
		}
		if _, err := c.Quo(term, term, n); err != nil {
			return err
		}
		if term.IsZero() || int64(term.Exponent)+term.NumDigits() < -int64(c.Precision)-1 {
			x.Set(sum)
			return nil
		}
		if _, err := c.Add(sum, sum, term); err != nil {
			return err
		}
	}
}

// lnWeight estimates the decimal weight of the natural logarithm, as
// PostgreSQL does.
func (n *num) lnWeight() int {
	if n.sign() <= 0 {
		return 0
	}
	lo, hi := num{kind: numSmall, scale: 1, coef: 9}, num{kind: numSmall, scale: 1, coef: 11}
	if n.cmp(&lo) >= 0 && n.cmp(&hi) <= 0 {
		one := num{kind: numSmall, coef: 1}
		a, b, scale := alignBig(n, &one)
		x := num{kind: numBigPos, scale: int32(scale), big: new(big.Int).Sub(a, b)}
		if x.sign() == 0 {
			return 0
		}
		w, digit := x.lead()
		return w*4 + int(math.Log10(float64(digit)))
	}
	w, digits := n.lead()
	exp := w * 4
	if second, ok := n.second(w, digits); ok {
		digits = digits*10000 + second
		exp -= 4
	}
	return int(math.Log10(math.Abs(math.Log(float64(digits)) + float64(exp)*2.302585092994046)))
}

// second gives the digit to the base 10000 behind the first, and whether any
// digit but 0 follows the first.
func (n *num) second(weight, first int) (int, bool) {
	at := func(w int) *big.Int { // value ÷ 10000^w, cut
		shift := 4*w + int(n.scale)
		if shift <= 0 {
			return new(big.Int).Mul(n.bigCoef(), pow10Big(-shift))
		}
		return new(big.Int).Quo(n.bigCoef(), pow10Big(shift))
	}
	back := new(big.Int).Mul(big.NewInt(int64(first)), pow10Big(max(4*weight+int(n.scale), 0)))
	if back.Cmp(n.bigCoef()) == 0 {
		return 0, false
	}
	v := at(weight - 1)
	return int(v.Mod(v, big.NewInt(10000)).Int64()), true
}

func (n *num) checkLog() error {
	switch {
	case n.kind == numNaN || n.sign() > 0:
		return nil
	case n.sign() < 0:
		return pgerr.Newf(pgerr.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	}
	return pgerr.Newf(pgerr.InvalidArgumentForLog, "cannot take logarithm of zero")
}

// ln gives the natural logarithm with so many digits behind the point.
func (n *num) ln(scale int) (*apd.Decimal, error) {
	var r apd.Decimal
	// ln of a number has at most 6 digits before the point.
	if _, err := decimalContext(scale+6).Ln(&r, n.decimal()); err != nil {
		return nil, pgerr.Newf(pgerr.InternalError, "computing ln: %w", err)
	}
	return &r, nil
}

// NumericLn appends the natural logarithm.
func NumericLn(dst, p []byte) ([]byte, error) {
	n := decodeNum(p)
	if err := n.checkLog(); err != nil {
		return dst, err
	}
	if n.special() {
		return append(dst, p...), nil
	}
	scale := clampScale(numMinSigDigits-n.lnWeight(), &n)
	r, err := n.ln(scale)
	if err != nil {
		return dst, err
	}
	return appendDecimal(dst, r, scale)
}

// NumericLog appends the logarithm of p to a base.
func NumericLog(dst, base, p []byte) ([]byte, error) {
	b, n := decodeNum(base), decodeNum(p)
	if b.kind == numNaN || n.kind == numNaN {
		return append(dst, numNaN), nil
	}
	if err := b.checkLog(); err != nil {
		return dst, err
	}
	if err := n.checkLog(); err != nil {
		return dst, err
	}
	switch {
	case b.special() && n.special():
		return append(dst, numNaN), nil
	case b.special():
		return AppendNumericSmall(dst, 0, 0), nil
	case n.special():
		return append(dst, numPosInf), nil
	}
	scale := clampScale(numMinSigDigits-(n.lnWeight()-b.lnWeight()), &b, &n)
	work := scale + 8 + max(-b.lnWeight(), 0)*2 + max(-n.lnWeight(), 0)
	lnBase, err := b.ln(work)
	if err != nil {
		return dst, err
	}
	lnNum, err := n.ln(work)
	if err != nil {
		return dst, err
	}
	if lnBase.IsZero() {
		return dst, ErrDivisionByZero()
	}
	var q apd.Decimal
	if _, err := decimalContext(work+10).Quo(&q, lnNum, lnBase); err != nil {
		return dst, pgerr.Newf(pgerr.InternalError, "computing log: %w", err)
	}
	return appendDecimal(dst, &q, scale)
}

// NumericPower appends a^b.
func NumericPower(dst, a, b []byte) ([]byte, error) {
	x, y := decodeNum(a), decodeNum(b)
	one := num{kind: numSmall, coef: 1}
	if x.kind == numNaN || y.kind == numNaN {
		if !x.special() && x.cmp(&one) == 0 || !y.special() && y.sign() == 0 {
			return AppendNumericSmall(dst, 1, 0), nil
		}
		return append(dst, numNaN), nil
	}
	integer := y.special() || NumericIsInteger(b)
	switch {
	case x.sign() == 0 && y.sign() < 0:
		return dst, pgerr.Newf(pgerr.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	case x.sign() < 0 && !integer:
		return dst, pgerr.Newf(pgerr.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
	case x.special() || y.special():
		return powerInf(dst, &x, &y), nil
	}
	if v, err := NumericToInt64(b); integer && err == nil && v == int64(int32(v)) {
		return x.powerInt(dst, int(v), clampScale(numMinSigDigits, &x))
	}
	if x.sign() == 0 {
		return AppendNumericSmall(dst, 0, numMinSigDigits), nil
	}
	neg := x.sign() < 0 && new(big.Int).Quo(y.bigCoef(), pow10Big(int(y.scale))).Bit(0) == 1
	if x.sign() < 0 {
		x.neg()
	}
	return x.powerReal(dst, &y, neg)
}

// powerInf appends a power with an infinite operand.
func powerInf(dst []byte, x, y *num) []byte {
	one, minus := num{kind: numSmall, coef: 1}, num{kind: numSmall, coef: -1}
	zero := func() []byte { return AppendNumericSmall(dst, 0, 0) }
	switch {
	case !x.special() && x.cmp(&one) == 0, !y.special() && y.sign() == 0:
		return AppendNumericSmall(dst, 1, 0)
	case x.sign() == 0:
		return zero()
	case y.special():
		grows := x.special()
		if !grows {
			if x.cmp(&minus) == 0 {
				return AppendNumericSmall(dst, 1, 0)
			}
			grows = x.cmp(&one) > 0 || x.cmp(&minus) < 0
		}
		if grows == (y.sign() > 0) {
			return append(dst, numPosInf)
		}
		return zero()
	case y.sign() < 0:
		return zero()
	case x.kind == numNegInf && new(big.Int).Quo(y.bigCoef(), pow10Big(int(y.scale))).Bit(0) == 1:
		return append(dst, numNegInf)
	}
	return append(dst, numPosInf)
}

// powerInt appends x^exp rounded at a scale.
func (n *num) powerInt(dst []byte, exp, scale int) ([]byte, error) {
	switch {
	case exp == 0:
		return appendNumChecked(dst, pow10Big(scale), scale)
	case n.sign() == 0:
		return AppendNumericSmall(dst, 0, scale), nil
	}
	abs := *n
	abs.big = new(big.Int).Abs(n.bigCoef())
	abs.kind = numBigPos
	weight := float64(exp) * (math.Log10(leadFloat(abs.big)) + float64(digitsBig(abs.big)-int(n.scale)))
	switch {
	case weight > 3*math.MaxInt16*4:
		return dst, errNumericFormat()
	case weight+1 < float64(-scale):
		return AppendNumericSmall(dst, 0, scale), nil
	}
	digits := max(int(weight), 0) + scale + guardDigits
	bits := uint(float64(digits)*math.Log2(10)) + 64
	base := new(big.Float).SetPrec(bits).SetInt(abs.big)
	base.Quo(base, new(big.Float).SetPrec(bits).SetInt(pow10Big(int(n.scale))))
	r := new(big.Float).SetPrec(bits).SetInt64(1)
	e := exp
	if e < 0 {
		e = -e
	}
	for ; e > 0; e >>= 1 {
		if e&1 != 0 {
			r.Mul(r, base)
		}
		if e > 1 {
			base.Mul(base, base)
		}
	}
	if exp < 0 {
		r.Quo(new(big.Float).SetPrec(bits).SetInt64(1), r)
	}
	// A result that is exact but for the base's last bit must not fall below a half.
	r.Mul(r, new(big.Float).SetPrec(bits).SetInt(pow10Big(scale+guardDigits/2)))
	v, _ := r.Add(r, big.NewFloat(0.5)).Int(nil)
	v = roundBig(v, guardDigits/2)
	if n.sign() < 0 && exp&1 != 0 {
		v.Neg(v)
	}
	return appendNumChecked(dst, v, scale)
}

// leadFloat gives 0.d1d2d3… of a positive integer.
func leadFloat(b *big.Int) float64 {
	d := digitsBig(b)
	if d > 18 {
		return float64(new(big.Int).Quo(b, pow10Big(d-18)).Int64()) / 1e18
	}
	return float64(b.Int64()) / float64(pow10[d])
}

// powerReal appends ±e^(y ln x), x > 0.
func (n *num) powerReal(dst []byte, y *num, neg bool) ([]byte, error) {
	rough, err := n.ln(max(8-n.lnWeight(), 0))
	if err != nil {
		return dst, err
	}
	var prod apd.Decimal
	if _, err := decimalContext(20).Mul(&prod, rough, y.decimal()); err != nil {
		return dst, pgerr.Newf(pgerr.InternalError, "computing power: %w", err)
	}
	val, err := prod.Float64()
	if err != nil || math.Abs(val) > numMaxResultScale*3.01 {
		if !prod.Negative {
			return dst, errNumericFormat()
		}
		return AppendNumericSmall(dst, 0, numMaxDisplayScale), nil
	}
	scale := clampScale(numMinSigDigits-int(val*log10E), n, y)
	work := max(scale+int(val*log10E), 0) + 8
	ln, err := n.ln(work + y.digits() + max(-n.lnWeight(), 0))
	if err != nil {
		return dst, err
	}
	if _, err := decimalContext(work+y.digits()+20).Mul(&prod, ln, y.decimal()); err != nil {
		return dst, pgerr.Newf(pgerr.InternalError, "computing power: %w", err)
	}
	out, err := expDecimal(nil, &prod, val, scale)
	if err != nil {
		return dst, err
	}
	if neg {
		return NumericNeg(dst, out), nil
	}
	return append(dst, out...), nil
}
