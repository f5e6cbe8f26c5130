package eval

import (
	"math"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// The roots, exponentials and logarithms of numeric are computed in decimal to
// more digits than shown, then rounded at the scale that PostgreSQL chooses.

// Bounds of the scale of a result, as in PostgreSQL's numeric.c.
const (
	minSigDigits    = 16
	maxDisplayScale = 1000
	maxResultScale  = 2000
)

// resultScale raises a scale to those of the operands, within bounds.
func resultScale(scale int, operands ...[]byte) int {
	scale = max(scale, 0)
	for _, p := range operands {
		scale = max(scale, types.NumericScale(p))
	}
	return min(scale, maxDisplayScale)
}

func toDecimal(p []byte) *apd.Decimal {
	d, _, err := apd.NewFromString(string(types.AppendNumericText(nil, p)))
	if err != nil {
		panic(err) // a finite numeric's own text
	}
	return d
}

// roundDecimal appends d rounded half away from zero at a scale.
func roundDecimal(dst []byte, d *apd.Decimal, scale int) ([]byte, error) {
	ctx := apd.BaseContext.WithPrecision(uint32(max(int(d.NumDigits())+int(d.Exponent)+scale+2, 1)))
	ctx.Rounding = apd.RoundHalfUp
	var q apd.Decimal
	if _, err := ctx.Quantize(&q, d, int32(-scale)); err != nil {
		return dst, errNumericOverflow
	}
	return types.NumericParse(dst, []byte(q.Text('f')))
}

// weight is the position of the first non-zero group of four digits, and its
// value and that of the next, as PostgreSQL stores a numeric in base 10000.
func weight(d *apd.Decimal) (w, first, second, groups int) {
	if d.IsZero() {
		return 0, 0, 0, 0
	}
	digits := d.Coeff.String()
	lead := len(digits) + int(d.Exponent) // digits before the point
	w = (lead+3)/4 - 1
	if lead <= 0 {
		w = -(-lead/4 + 1)
	}
	for i := (w+1)*4 - lead; i > 0; i-- {
		digits = "0" + digits
	}
	for len(digits)%4 != 0 {
		digits += "0"
	}
	for len(digits) > 4 && digits[len(digits)-4:] == "0000" {
		digits = digits[:len(digits)-4]
	}
	first, _ = strconv.Atoi(digits[:4])
	if len(digits) >= 8 {
		second, _ = strconv.Atoi(digits[4:8])
	}
	return w, first, second, len(digits) / 4
}

var (
	apdOne   = apd.New(1, 0)
	near1Lo  = apd.New(9, -1)
	near1Hi  = apd.New(11, -1)
	numTen   = mustNumeric("10")
	numPlus  = mustNumeric("Infinity")
	numMinus = mustNumeric("-Infinity")
	numZero  = mustNumeric("0")
	numOne   = mustNumeric("1")
)

// lnWeight estimates the decimal weight of a logarithm as PostgreSQL does.
func lnWeight(d *apd.Decimal) int {
	if d.Cmp(near1Lo) >= 0 && d.Cmp(near1Hi) <= 0 {
		var x apd.Decimal
		if _, err := exact.Sub(&x, d, apdOne); err != nil || x.IsZero() {
			return 0
		}
		w, first, _, _ := weight(&x)
		return w*4 + int(math.Log10(float64(first)))
	}
	w, first, second, groups := weight(d)
	if groups == 0 {
		return 0
	}
	digits, dweight := float64(first), w*4
	if groups > 1 {
		digits = digits*10000 + float64(second)
		dweight -= 4
	}
	return int(math.Log10(math.Abs(math.Log(digits) + float64(dweight)*2.302585092994046)))
}

// exact is a context that rounds nothing of the sizes that occur.
var exact = apd.BaseContext.WithPrecision(40000)

func decimalContext(digits int) *apd.Context {
	return apd.BaseContext.WithPrecision(uint32(max(digits, 20) + 10))
}

func sqrtNumeric(dst, p []byte) ([]byte, error) {
	if types.NumericSign(p) < 0 {
		return dst, pgerr.Newf(pgerr.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	if special(p) {
		return append(dst, p...), nil
	}
	d := toDecimal(p)
	w, _, _, _ := weight(d)
	sweight := (w+1)*4/2 - 1
	scale := resultScale(minSigDigits-sweight, p)
	var r apd.Decimal
	if _, err := decimalContext(scale+max(sweight, 0)).Sqrt(&r, d); err != nil {
		return dst, err
	}
	return roundDecimal(dst, &r, scale)
}

func expNumeric(dst, p []byte) ([]byte, error) {
	switch {
	case types.NumericIsInf(p, -1):
		return append(dst, numZero...), nil
	case special(p):
		return append(dst, p...), nil
	}
	x, _ := strconv.ParseFloat(string(types.AppendNumericText(nil, p)), 64)
	w := math.Max(math.Min(x*0.434294481903252, maxResultScale), -maxResultScale)
	return expAt(dst, toDecimal(p), x, resultScale(minSigDigits-int(w), p))
}

// expAt appends e^d rounded at a scale; x is d as a float.
func expAt(dst []byte, d *apd.Decimal, x float64, scale int) ([]byte, error) {
	if math.Abs(x) >= maxResultScale*3 {
		if x > 0 {
			return dst, errNumericOverflow
		}
		return roundDecimal(dst, apd.New(0, 0), scale)
	}
	var r apd.Decimal
	if _, err := decimalContext(scale+max(int(x*0.4343)+2, 0)).Exp(&r, d); err != nil {
		return dst, err
	}
	return roundDecimal(dst, &r, scale)
}

// checkLog refuses what has no logarithm.
func checkLog(p []byte) error {
	switch types.NumericSign(p) {
	case 0:
		return errLogZero
	case -1:
		return errLogNegative
	}
	return nil
}

func lnNumeric(dst, p []byte) ([]byte, error) {
	if err := checkLog(p); err != nil {
		return dst, err
	}
	if special(p) {
		return append(dst, p...), nil
	}
	d := toDecimal(p)
	w := lnWeight(d)
	scale := resultScale(minSigDigits-w, p)
	var r apd.Decimal
	if _, err := decimalContext(scale+max(w, 0)+4).Ln(&r, d); err != nil {
		return dst, err
	}
	return roundDecimal(dst, &r, scale)
}

func log10Numeric(dst, p []byte) ([]byte, error) { return logNumeric(dst, numTen, p) }

func logNumeric(dst, base, p []byte) ([]byte, error) {
	if types.NumericIsNaN(base) || types.NumericIsNaN(p) {
		return append(dst, numericNaN...), nil
	}
	if err := checkLog(base); err != nil {
		return dst, err
	}
	if err := checkLog(p); err != nil {
		return dst, err
	}
	switch {
	case special(base) && special(p):
		return append(dst, numericNaN...), nil
	case special(base):
		return append(dst, numZero...), nil
	case special(p):
		return append(dst, p...), nil
	}
	b, d := toDecimal(base), toDecimal(p)
	bw, dw := lnWeight(b), lnWeight(d)
	scale := resultScale(minSigDigits-(dw-bw), base, p)
	ctx := decimalContext(scale + 20 + max(dw-bw, 0) + max(-bw, 0) + max(-dw, 0))
	var lb, ld, r apd.Decimal
	if _, err := ctx.Ln(&lb, b); err != nil {
		return dst, err
	}
	if _, err := ctx.Ln(&ld, d); err != nil {
		return dst, err
	}
	if lb.IsZero() {
		return dst, errDivZero
	}
	if _, err := ctx.Quo(&r, &ld, &lb); err != nil {
		return dst, err
	}
	return roundDecimal(dst, &r, scale)
}

func powerNumeric(dst, a, b []byte) ([]byte, error) {
	if special(a) || special(b) {
		return powerSpecial(dst, a, b)
	}
	sign, integer := types.NumericSign(a), types.NumericIsInteger(b)
	switch {
	case sign == 0 && types.NumericSign(b) < 0:
		return dst, errPowerZero
	case sign < 0 && !integer:
		return dst, errPowerRoot
	}
	base, exp := toDecimal(a), toDecimal(b)
	if n, err := types.NumericToInt64(b); integer && err == nil && n == int64(int32(n)) {
		return powerInt(dst, base, n, a)
	}
	if sign == 0 {
		return roundDecimal(dst, apd.New(0, 0), minSigDigits)
	}
	odd := false
	if sign < 0 {
		var half apd.Decimal
		if _, err := exact.Rem(&half, exp, apd.New(2, 0)); err != nil {
			return dst, err
		}
		odd = !half.IsZero()
		base.Abs(base)
	}
	ctx := decimalContext(40)
	var ln, prod apd.Decimal
	if _, err := ctx.Ln(&ln, base); err != nil {
		return dst, err
	}
	if _, err := ctx.Mul(&prod, &ln, exp); err != nil {
		return dst, err
	}
	x, _ := prod.Float64()
	if math.Abs(x) > maxResultScale*3.01 {
		if x > 0 {
			return dst, errNumericOverflow
		}
		return roundDecimal(dst, apd.New(0, 0), maxDisplayScale)
	}
	w := int(x * 0.434294481903252)
	scale := resultScale(minSigDigits-w, a, b)
	ctx = decimalContext(scale + max(w, 0) + 20 + max(-lnWeight(base), 0))
	if _, err := ctx.Ln(&ln, base); err != nil {
		return dst, err
	}
	if _, err := ctx.Mul(&prod, &ln, exp); err != nil {
		return dst, err
	}
	var r apd.Decimal
	if _, err := ctx.Exp(&r, &prod); err != nil {
		return dst, err
	}
	r.Negative = odd
	return roundDecimal(dst, &r, scale)
}

// powerInt raises to a whole power.
func powerInt(dst []byte, base *apd.Decimal, n int64, a []byte) ([]byte, error) {
	var w float64
	if !base.IsZero() {
		lead, _ := strconv.ParseFloat(base.Coeff.String(), 64)
		w = float64(n) * (math.Log10(lead) + float64(base.Exponent))
	}
	scale := resultScale(minSigDigits, a)
	switch {
	case w > 32768*4:
		return dst, errNumericOverflow
	case w+1 < -maxDisplayScale:
		return roundDecimal(dst, apd.New(0, 0), scale)
	}
	ctx := decimalContext(scale + max(int(w), 0) + 20)
	r := *apdOne
	sq := *base
	for k := magnitude(n); k > 0; k >>= 1 {
		if k&1 != 0 {
			if _, err := ctx.Mul(&r, &r, &sq); err != nil {
				return dst, errNumericOverflow
			}
		}
		if k > 1 {
			if _, err := ctx.Mul(&sq, &sq, &sq); err != nil {
				return dst, errNumericOverflow
			}
		}
	}
	if n < 0 {
		if _, err := ctx.Quo(&r, apdOne, &r); err != nil {
			return dst, errDivZero
		}
	}
	return roundDecimal(dst, &r, scale)
}

// powerSpecial is the power of NaN and infinities.
func powerSpecial(dst, a, b []byte) ([]byte, error) {
	nan := func() ([]byte, error) { return append(dst, numericNaN...), nil }
	switch {
	case types.NumericIsNaN(a):
		if !types.NumericIsNaN(b) && types.NumericSign(b) == 0 {
			return append(dst, numOne...), nil
		}
		return nan()
	case types.NumericIsNaN(b):
		if types.NumericCmp(a, numOne) == 0 {
			return append(dst, numOne...), nil
		}
		return nan()
	}
	sa, sb := types.NumericSign(a), types.NumericSign(b)
	switch {
	case sa == 0 && sb < 0:
		return dst, errPowerZero
	case sa < 0 && !types.NumericIsInf(b, 0) && !types.NumericIsInteger(b):
		return dst, errPowerRoot
	case types.NumericCmp(a, numOne) == 0 || sb == 0:
		return append(dst, numOne...), nil
	case sa == 0:
		return append(dst, numZero...), nil
	}
	if types.NumericIsInf(b, 0) {
		abs := types.NumericCmp(types.NumericAbs(nil, a), numOne)
		switch {
		case abs == 0:
			return append(dst, numOne...), nil
		case abs > 0 == (sb > 0):
			return append(dst, numPlus...), nil
		}
		return append(dst, numZero...), nil
	}
	if sb < 0 {
		return append(dst, numZero...), nil
	}
	two := mustNumeric("2")
	rem, err := types.NumericRem(nil, b, two)
	if err != nil {
		return dst, err
	}
	if sa < 0 && types.NumericSign(rem) != 0 {
		return append(dst, numMinus...), nil
	}
	return append(dst, numPlus...), nil
}
