package eval

import (
	"math"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// operator gives the implementation of the operators that are generic over their types;
// nil for those that stand in the tables by ID.
func (c *compiler) operator(e *scalar.Call) (impl, error) {
	if v, ok := verdicts[e.Fn.Name]; ok {
		return c.comparison(e, v)
	}
	all := func(in func(types.OID) bool) bool {
		for _, t := range e.Fn.Args {
			if !in(t) {
				return false
			}
		}
		return true
	}
	ret := e.Fn.Ret
	switch {
	case all(isInt) && len(e.Fn.Args) == 2:
		if fn := intBinary(e.Fn.Name, ret); fn != nil {
			return fn, nil
		}
	case all(isInt):
		if fn := intPrefix(e.Fn.Name, ret); fn != nil {
			return fn, nil
		}
	case all(isFloat) && len(e.Fn.Args) == 2:
		if fn := floatBinary(e.Fn.Name, ret); fn != nil {
			return fn, nil
		}
	case all(isFloat):
		if fn := floatPrefix(e.Fn.Name); fn != nil {
			return fn, nil
		}
	}
	return nil, nil
}

func isInt(t types.OID) bool { return t == types.Int2 || t == types.Int4 || t == types.Int8 }

var errDivZero = pgerr.Newf(pgerr.DivisionByZero, "division by zero")

// intRange gives the bounds of an integer type.
func intRange(t types.OID) (lo, hi int64) {
	switch t {
	case types.Int2:
		return math.MinInt16, math.MaxInt16
	case types.Int4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// intResult checks the range of a result that cannot overflow int64.
func intResult(t types.OID) func(v int64) (types.Datum, error) {
	lo, hi := intRange(t)
	err := types.ErrOutOfRange(t)
	return func(v int64) (types.Datum, error) {
		if v < lo || v > hi {
			return types.Datum{}, err
		}
		return types.Datum{I: v}, nil
	}
}

func intBinary(op string, ret types.OID) fn2 {
	lo, hi := intRange(ret)
	overflow := types.ErrOutOfRange(ret)
	if ret != types.Int8 {
		switch op {
		case "+":
			return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
				if v := a.I + b.I; v >= lo && v <= hi {
					return types.Datum{I: v}, nil
				}
				return types.Datum{}, overflow
			}
		case "-":
			return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
				if v := a.I - b.I; v >= lo && v <= hi {
					return types.Datum{I: v}, nil
				}
				return types.Datum{}, overflow
			}
		case "*":
			return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
				if v := a.I * b.I; v >= lo && v <= hi {
					return types.Datum{I: v}, nil
				}
				return types.Datum{}, overflow
			}
		}
	}
	switch op {
	case "+":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			v := a.I + b.I
			if (v > a.I) != (b.I > 0) && b.I != 0 {
				return types.Datum{}, overflow
			}
			return types.Datum{I: v}, nil
		}
	case "-":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			v := a.I - b.I
			if (v < a.I) != (b.I > 0) && b.I != 0 {
				return types.Datum{}, overflow
			}
			return types.Datum{I: v}, nil
		}
	case "*":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			v, ok := mulInt(a.I, b.I)
			if !ok {
				return types.Datum{}, overflow
			}
			return types.Datum{I: v}, nil
		}
	case "/":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			switch {
			case b.I == 0:
				return types.Datum{}, errDivZero
			case b.I == -1 && a.I == lo:
				return types.Datum{}, overflow
			}
			return types.Datum{I: a.I / b.I}, nil
		}
	case "%":
		return intMod
	case "&":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) { return types.Datum{I: a.I & b.I}, nil }
	case "|":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) { return types.Datum{I: a.I | b.I}, nil }
	case "#":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) { return types.Datum{I: a.I ^ b.I}, nil }
	case "<<", ">>":
		return shift(op == "<<", ret)
	}
	return nil
}

func intMod(_ *Frame, a, b types.Datum) (types.Datum, error) {
	switch b.I {
	case 0:
		return types.Datum{}, errDivZero
	case -1:
		return types.Datum{}, nil
	}
	return types.Datum{I: a.I % b.I}, nil
}

// shift shifts as x86 does for PostgreSQL: the count modulo the width of C's type.
func shift(left bool, t types.OID) fn2 {
	return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
		n := uint(b.I) & 31
		if t == types.Int8 {
			n = uint(b.I) & 63
		}
		if !left {
			return types.Datum{I: a.I >> n}, nil
		}
		v := a.I << n
		switch t {
		case types.Int2:
			v = int64(int16(v))
		case types.Int4:
			v = int64(int32(v))
		}
		return types.Datum{I: v}, nil
	}
}

func mulInt(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	v := a * b
	return v, v/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

func intPrefix(op string, t types.OID) fn1 {
	lo, _ := intRange(t)
	overflow := types.ErrOutOfRange(t)
	switch op {
	case "+":
		return same
	case "-":
		return func(_ *Frame, a types.Datum) (types.Datum, error) {
			if a.I == lo {
				return a, overflow
			}
			return types.Datum{I: -a.I}, nil
		}
	case "@":
		return absInt(t)
	case "~":
		return func(_ *Frame, a types.Datum) (types.Datum, error) { return types.Datum{I: ^a.I}, nil }
	}
	return nil
}

func absInt(t types.OID) fn1 {
	lo, _ := intRange(t)
	overflow := types.ErrOutOfRange(t)
	return func(_ *Frame, a types.Datum) (types.Datum, error) {
		switch {
		case a.I == lo:
			return a, overflow
		case a.I < 0:
			a.I = -a.I
		}
		return a, nil
	}
}

func same(_ *Frame, a types.Datum) (types.Datum, error) { return a, nil }

var (
	errFloatOverflow  = pgerr.Newf(pgerr.NumericValueOutOfRange, "value out of range: overflow")
	errFloatUnderflow = pgerr.Newf(pgerr.NumericValueOutOfRange, "value out of range: underflow")
)

// checkFloat refuses an infinite result of finite arguments, and a zero where there must be none.
func checkFloat(v float64, infOK, zeroOK bool) (types.Datum, error) {
	switch {
	case math.IsInf(v, 0) && !infOK:
		return types.Datum{}, errFloatOverflow
	case v == 0 && !zeroOK:
		return types.Datum{}, errFloatUnderflow
	}
	return types.DFloat(v), nil
}

func floatBinary(op string, ret types.OID) fn2 {
	narrow := func(v float64) float64 { return v }
	if ret == types.Float4 {
		narrow = func(v float64) float64 { return float64(float32(v)) }
	}
	inf := func(a, b float64) bool { return math.IsInf(a, 0) || math.IsInf(b, 0) }
	switch op {
	case "+":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			x, y := a.Float(), b.Float()
			return checkFloat(narrow(x+y), inf(x, y), true)
		}
	case "-":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			x, y := a.Float(), b.Float()
			return checkFloat(narrow(x-y), inf(x, y), true)
		}
	case "*":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			x, y := a.Float(), b.Float()
			return checkFloat(narrow(x*y), inf(x, y), x == 0 || y == 0)
		}
	case "/":
		return func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			x, y := a.Float(), b.Float()
			if y == 0 && !math.IsNaN(x) {
				return types.Datum{}, errDivZero
			}
			return checkFloat(narrow(x/y), math.IsInf(x, 0), x == 0 || math.IsInf(y, 0))
		}
	case "^":
		return power
	}
	return nil
}

func floatPrefix(op string) fn1 {
	switch op {
	case "+":
		return same
	case "-":
		return func(_ *Frame, a types.Datum) (types.Datum, error) { return types.DFloat(-a.Float()), nil }
	case "@":
		return absFloat
	case "|/":
		return sqrtFloat
	case "||/":
		return float1(math.Cbrt)
	}
	return nil
}

func absFloat(_ *Frame, a types.Datum) (types.Datum, error) {
	return types.DFloat(math.Abs(a.Float())), nil
}
