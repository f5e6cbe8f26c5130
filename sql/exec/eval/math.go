package eval

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// mathFuncs are the functions of integers and floats.
var mathFuncs = map[string]impl{
	"abs(int2)": absInt(types.Int2), "abs(int4)": absInt(types.Int4), "abs(int8)": absInt(types.Int8),
	"abs(float4)": fn1(absFloat), "abs(float8)": fn1(absFloat),
	"ceil(float8)": float1(math.Ceil), "ceiling(float8)": float1(math.Ceil), "floor(float8)": float1(math.Floor),
	"round(float8)": float1(math.RoundToEven), "trunc(float8)": float1(math.Trunc),
	"sign(float8)": float1(signFloat),
	"sqrt(float8)": fn1(sqrtFloat), "cbrt(float8)": float1(math.Cbrt),
	"exp(float8)": fn1(expFloat), "ln(float8)": logarithm(ln),
	"log(float8)": logarithm(log10), "log10(float8)": logarithm(log10),
	"power(float8,float8)": fn2(power), "pow(float8,float8)": fn2(power),
	"mod(int2,int2)": fn2(intMod), "mod(int4,int4)": fn2(intMod), "mod(int8,int8)": fn2(intMod),
	"gcd(int4,int4)": gcdInt(types.Int4), "gcd(int8,int8)": gcdInt(types.Int8),
	"lcm(int4,int4)": lcmInt(types.Int4), "lcm(int8,int8)": lcmInt(types.Int8),
	"pi()": fn0(func(*Frame) (types.Datum, error) { return types.DFloat(math.Pi), nil }),
	"degrees(float8)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		x := a.Float()
		return checkFloat(x/(math.Pi/180), math.IsInf(x, 0), x == 0)
	}),
	"radians(float8)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		x := a.Float()
		return checkFloat(x*(math.Pi/180), math.IsInf(x, 0), x == 0)
	}),
	"sin(float8)": trigonometric(math.Sin), "cos(float8)": trigonometric(math.Cos), "tan(float8)": trigonometric(math.Tan),
	"cot(float8)":  trigonometric(func(x float64) float64 { return 1 / math.Tan(x) }),
	"asin(float8)": bounded(math.Asin, -1, 1), "acos(float8)": bounded(math.Acos, -1, 1),
	"atan(float8)": float1(math.Atan),
	"atan2(float8,float8)": fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
		return types.DFloat(math.Atan2(a.Float(), b.Float())), nil
	}),
	"sinh(float8)": float1(math.Sinh), "cosh(float8)": float1(math.Cosh), "tanh(float8)": float1(math.Tanh),
	"asinh(float8)": float1(math.Asinh), "acosh(float8)": bounded(math.Acosh, 1, math.Inf(1)), "atanh(float8)": bounded(math.Atanh, -1, 1),
	"random()": fn0(func(*Frame) (types.Datum, error) { return types.DFloat(rand.Float64()), nil }),
	"to_hex(int4)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keep(strconv.AppendUint(f.out(), uint64(uint32(a.I)), 16)), nil
	}),
	"to_hex(int8)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keep(strconv.AppendUint(f.out(), uint64(a.I), 16)), nil
	}),
	"width_bucket(float8,float8,float8,int4)": fnN(widthBucketFloat),
}

// float1 lifts a function that raises no error.
func float1(f func(float64) float64) fn1 {
	return func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DFloat(f(a.Float())), nil }
}

var errInputRange = pgerr.Newf(pgerr.NumericValueOutOfRange, "input is out of range")

// trigonometric lifts a function that refuses the infinities.
func trigonometric(f func(float64) float64) fn1 {
	return func(_ *Frame, a types.Datum) (types.Datum, error) {
		if math.IsInf(a.Float(), 0) {
			return a, errInputRange
		}
		return types.DFloat(f(a.Float())), nil
	}
}

// bounded lifts a function that refuses arguments beyond its domain.
func bounded(f func(float64) float64, lo, hi float64) fn1 {
	return func(_ *Frame, a types.Datum) (types.Datum, error) {
		if x := a.Float(); x < lo || x > hi {
			return a, errInputRange
		}
		return types.DFloat(f(a.Float())), nil
	}
}

func signFloat(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0 // of NaN, too
}

func sqrtFloat(_ *Frame, a types.Datum) (types.Datum, error) {
	x := a.Float()
	if x < 0 {
		return a, pgerr.Newf(pgerr.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	return types.DFloat(math.Sqrt(x)), nil
}

func expFloat(_ *Frame, a types.Datum) (types.Datum, error) {
	x := a.Float()
	return checkFloat(exp(x), math.IsInf(x, 0), math.IsInf(x, -1))
}

func logarithm(f func(float64) float64) fn1 {
	return func(_ *Frame, a types.Datum) (types.Datum, error) {
		if x := a.Float(); x == 0 {
			return a, errLogZero
		} else if x < 0 {
			return a, errLogNegative
		}
		return types.DFloat(f(a.Float())), nil
	}
}

var (
	errLogZero     = pgerr.Newf(pgerr.InvalidArgumentForLog, "cannot take logarithm of zero")
	errLogNegative = pgerr.Newf(pgerr.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	errPowerZero   = pgerr.Newf(pgerr.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	errPowerRoot   = pgerr.Newf(pgerr.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
)

// power is the ^ of float8.
func power(_ *Frame, a, b types.Datum) (types.Datum, error) {
	x, y := a.Float(), b.Float()
	switch {
	case math.IsNaN(x) || math.IsNaN(y):
		if x == 1 || y == 0 {
			return types.DFloat(1), nil
		}
		return types.DFloat(math.NaN()), nil
	case x == 0 && y < 0:
		return a, errPowerZero
	case x < 0 && math.Floor(y) != y:
		return a, errPowerRoot
	}
	bounded := finite(x) && finite(y)
	return checkFloat(pow(x, y), !bounded, !bounded || x == 0)
}

// magnitude is |v| as unsigned, right for the least integer too.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func gcdInt(t types.OID) fn2 {
	_, hi := intRange(t)
	overflow := types.ErrOutOfRange(t)
	return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
		g := gcd(magnitude(a.I), magnitude(b.I))
		if g > uint64(hi) {
			return a, overflow
		}
		return types.Datum{I: int64(g)}, nil
	}
}

func lcmInt(t types.OID) fn2 {
	_, hi := intRange(t)
	overflow := types.ErrOutOfRange(t)
	return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
		if a.I == 0 || b.I == 0 {
			return types.Datum{}, nil
		}
		x, y := magnitude(a.I), magnitude(b.I)
		over, v := bits.Mul64(x/gcd(x, y), y)
		if over != 0 || v > uint64(hi) {
			return a, overflow
		}
		return types.Datum{I: int64(v)}, nil
	}
}

func widthBucketFloat(_ *Frame, args []types.Datum) (types.Datum, error) {
	x, lo, hi, n := args[0].Float(), args[1].Float(), args[2].Float(), args[3].I
	switch {
	case n <= 0:
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "count must be greater than zero")
	case math.IsNaN(x) || math.IsNaN(lo) || math.IsNaN(hi):
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "operand, lower bound, and upper bound cannot be NaN")
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "lower and upper bounds must be finite")
	case lo == hi:
		return types.Datum{}, pgerr.Newf(pgerr.InvalidArgumentForWidth, "lower bound cannot equal upper bound")
	}
	down := lo > hi
	if down {
		x, lo, hi = -x, -lo, -hi
	}
	switch {
	case x < lo:
		return types.DInt(0), nil
	case x >= hi:
		if n == math.MaxInt32 {
			return types.Datum{}, types.ErrOutOfRange(types.Int4)
		}
		return types.DInt(n + 1), nil
	}
	v := float64(n)*(x-lo)/(hi-lo) + 1
	if !(math.Abs(v) < 1<<31) { // PostgreSQL does not check: C's conversion on x86
		return types.DInt(math.MinInt32), nil
	}
	return types.DInt(int64(v)), nil
}
