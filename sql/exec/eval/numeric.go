package eval

import (
	"math"
	"math/big"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// numericFuncs are the operators and functions of numeric.
var numericFuncs = map[string]impl{
	"numeric_add(numeric,numeric)":   numeric2(types.NumericAdd),
	"numeric_sub(numeric,numeric)":   numeric2(types.NumericSub),
	"numeric_mul(numeric,numeric)":   numeric2(types.NumericMul),
	"numeric_div(numeric,numeric)":   numeric2(types.NumericDiv),
	"numeric_mod(numeric,numeric)":   numeric2(types.NumericRem),
	"mod(numeric,numeric)":           numeric2(types.NumericRem),
	"div(numeric,numeric)":           numeric2(types.NumericQuo),
	"numeric_power(numeric,numeric)": numeric2(powerNumeric), "power(numeric,numeric)": numeric2(powerNumeric), "pow(numeric,numeric)": numeric2(powerNumeric),
	"numeric_uplus(numeric)":  fn1(same),
	"numeric_uminus(numeric)": numericTotal(types.NumericNeg),
	"numeric_abs(numeric)":    numericTotal(types.NumericAbs), "abs(numeric)": numericTotal(types.NumericAbs),
	"ceil(numeric)": numeric1(types.NumericCeil), "ceiling(numeric)": numeric1(types.NumericCeil), "floor(numeric)": numeric1(types.NumericFloor),
	"round(numeric)":      numeric1(func(dst, p []byte) ([]byte, error) { return types.NumericRound(dst, p, 0) }),
	"trunc(numeric)":      numeric1(func(dst, p []byte) ([]byte, error) { return types.NumericTrunc(dst, p, 0) }),
	"round(numeric,int4)": atScale(types.NumericRound),
	"trunc(numeric,int4)": atScale(types.NumericTrunc),
	"sign(numeric)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		if types.NumericIsNaN(a.B) {
			return a, nil
		}
		return f.keep(types.NumericFromInt64(f.out(), int64(types.NumericSign(a.B)))), nil
	}),
	"sqrt(numeric)": numeric1(sqrtNumeric), "exp(numeric)": numeric1(expNumeric), "ln(numeric)": numeric1(lnNumeric),
	"log(numeric)": numeric1(log10Numeric), "log10(numeric)": numeric1(log10Numeric), "log(numeric,numeric)": numeric2(logNumeric),
	"scale(numeric)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		if special(a.B) {
			return types.NullDatum, nil
		}
		return types.DInt(int64(types.NumericScale(a.B))), nil
	}),
	"min_scale(numeric)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		if special(a.B) {
			return types.NullDatum, nil
		}
		return types.DInt(int64(types.NumericMinScale(a.B))), nil
	}),
	"trim_scale(numeric)": numeric1(func(dst, p []byte) ([]byte, error) {
		if special(p) {
			return append(dst, p...), nil
		}
		return types.NumericTrunc(dst, p, types.NumericMinScale(p))
	}),
	"gcd(numeric,numeric)": numeric2(gcdNumeric), "lcm(numeric,numeric)": numeric2(lcmNumeric),
	"factorial(int8)": fn1(factorial),
	"width_bucket(numeric,numeric,numeric,int4)": fnN(widthBucketNumeric),
}

func numeric2(op func(dst, a, b []byte) ([]byte, error)) fn2 {
	return func(f *Frame, a, b types.Datum) (types.Datum, error) { return f.keepErr(op(f.out(), a.B, b.B)) }
}

func numeric1(op func(dst, a []byte) ([]byte, error)) fn1 {
	return func(f *Frame, a types.Datum) (types.Datum, error) { return f.keepErr(op(f.out(), a.B)) }
}

func numericTotal(op func(dst, a []byte) []byte) fn1 {
	return func(f *Frame, a types.Datum) (types.Datum, error) { return f.keep(op(f.out(), a.B)), nil }
}

// atScale rounds at a scale that PostgreSQL clamps to ±2000.
func atScale(op func(dst, a []byte, scale int) ([]byte, error)) fn2 {
	return func(f *Frame, a, n types.Datum) (types.Datum, error) {
		return f.keepErr(op(f.out(), a.B, int(min(max(n.I, -2000), 2000))))
	}
}

// special says that a numeric is NaN or an infinity.
func special(p []byte) bool { return types.NumericIsNaN(p) || types.NumericIsInf(p, 0) }

// integers gives two finite numerics as integers of a common scale.
func integers(a, b []byte) (x, y *big.Int, scale int) {
	scale = max(types.NumericScale(a), types.NumericScale(b))
	return coefficient(a, scale), coefficient(b, scale), scale
}

// coefficient is p × 10^scale, of a scale no less than p's.
func coefficient(p []byte, scale int) *big.Int {
	digits := types.AppendNumericText(nil, p)
	out := digits[:0]
	for _, c := range digits {
		if c != '.' {
			out = append(out, c)
		}
	}
	for range scale - types.NumericScale(p) {
		out = append(out, '0')
	}
	v, _ := new(big.Int).SetString(string(out), 10)
	return v
}

// appendInteger appends v × 10^−scale.
func appendInteger(dst []byte, v *big.Int, scale int) ([]byte, error) {
	digits := v.Append(nil, 10)
	neg := digits[0] == '-'
	if neg {
		digits = digits[1:]
	}
	text := make([]byte, 0, len(digits)+scale+2)
	if neg {
		text = append(text, '-')
	}
	for range scale + 1 - len(digits) {
		text = append(text, '0')
		if len(text)-1 == 0 || neg && len(text) == 2 {
			text = append(text, '.')
		}
	}
	if n := len(digits) - scale; n > 0 && scale > 0 {
		text = append(append(append(text, digits[:n]...), '.'), digits[n:]...)
	} else {
		text = append(text, digits...)
	}
	return types.NumericParse(dst, text)
}

var numericNaN = mustNumeric("NaN")

func mustNumeric(text string) []byte {
	p, err := types.NumericParse(nil, []byte(text))
	if err != nil {
		panic(err)
	}
	return p
}

func gcdNumeric(dst, a, b []byte) ([]byte, error) {
	switch {
	case special(a) || special(b):
		return append(dst, numericNaN...), nil
	}
	x, y, scale := integers(a, b)
	return appendInteger(dst, new(big.Int).GCD(nil, nil, x.Abs(x), y.Abs(y)), scale)
}

func lcmNumeric(dst, a, b []byte) ([]byte, error) {
	switch {
	case special(a) || special(b):
		return append(dst, numericNaN...), nil
	}
	x, y, scale := integers(a, b)
	x.Abs(x)
	y.Abs(y)
	if x.Sign() == 0 || y.Sign() == 0 {
		return appendInteger(dst, new(big.Int), scale)
	}
	g := new(big.Int).GCD(nil, nil, x, y)
	return appendInteger(dst, x.Mul(x.Quo(x, g), y), scale)
}

func factorial(f *Frame, a types.Datum) (types.Datum, error) {
	switch {
	case a.I < 0:
		return a, pgerr.Newf(pgerr.NumericValueOutOfRange, "factorial of a negative number is undefined")
	case a.I > 32177:
		return a, errNumericOverflow
	}
	return f.keepErr(appendInteger(f.out(), new(big.Int).MulRange(1, a.I), 0))
}

var errNumericOverflow = pgerr.Newf(pgerr.NumericValueOutOfRange, "value overflows numeric format")

func widthBucketNumeric(f *Frame, args []types.Datum) (types.Datum, error) {
	x, lo, hi, n := args[0].B, args[1].B, args[2].B, args[3].I
	switch {
	case n <= 0:
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "count must be greater than zero")
	case types.NumericIsNaN(x) || types.NumericIsNaN(lo) || types.NumericIsNaN(hi):
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "operand, lower bound, and upper bound cannot be NaN")
	case special(lo) || special(hi):
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "lower and upper bounds must be finite")
	}
	order := types.NumericCmp(lo, hi)
	if order == 0 {
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "lower bound cannot equal upper bound")
	}
	switch {
	case types.NumericCmp(x, lo)*order > 0:
		return types.DInt(0), nil
	case types.NumericCmp(x, hi)*order <= 0:
		if n == math.MaxInt32 {
			return types.Datum{}, types.ErrOutOfRange(types.Int4)
		}
		return types.DInt(n + 1), nil
	}
	// As PostgreSQL does, floor a quotient that is already rounded.
	num, err := types.NumericSub(nil, x, lo)
	if err != nil {
		return types.Datum{}, err
	}
	den, err := types.NumericSub(nil, hi, lo)
	if err != nil {
		return types.Datum{}, err
	}
	if num, err = types.NumericMul(nil, num, types.NumericFromInt64(nil, n)); err != nil {
		return types.Datum{}, err
	}
	q, err := types.NumericDiv(nil, num, den)
	if err != nil {
		return types.Datum{}, err
	}
	if q, err = types.NumericFloor(nil, q); err != nil {
		return types.Datum{}, err
	}
	v, err := types.NumericToInt(types.Int4, q)
	if err == nil && v == math.MaxInt32 {
		err = types.ErrOutOfRange(types.Int4)
	}
	return types.DInt(v + 1), err
}
