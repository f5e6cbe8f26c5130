package eval

import (
	"fmt"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Program is a compiled expression. It is immutable and may run in several frames at once.
type Program struct {
	fn  evalFn
	typ types.Type
}

// Compile compiles an expression over rows of the given columns.
func Compile(e scalar.Expr, in []types.Type) (*Program, error) {
	c := &compiler{in: in}
	fn, err := c.expr(e)
	if err != nil {
		return nil, err
	}
	return &Program{fn: fn, typ: e.Type()}, nil
}

// Type is the type of the program's value.
func (p *Program) Type() types.Type { return p.typ }

// Eval runs the program on the frame's row. The datum's bytes are valid until
// the frame's next row. An error is the row's: a *pgerr.Error, which may be
// shared and must not be changed.
func (p *Program) Eval(f *Frame) (types.Datum, error) { return p.fn(f) }

// Bool runs a predicate; NULL is false.
func (p *Program) Bool(f *Frame) (bool, error) {
	d, err := p.fn(f)
	return d.I != 0 && !d.Null, err
}

// An evalFn is a compiled node.
type evalFn func(f *Frame) (types.Datum, error)

// Implementations of functions, by number of arguments; none sees a NULL unless
// its function is not strict.
type (
	fn0 func(f *Frame) (types.Datum, error)
	fn1 func(f *Frame, a types.Datum) (types.Datum, error)
	fn2 func(f *Frame, a, b types.Datum) (types.Datum, error)
	fn3 func(f *Frame, a, b, c types.Datum) (types.Datum, error)
	fnN func(f *Frame, args []types.Datum) (types.Datum, error)
	// A builder makes the implementation for a call, looking at the types of
	// its arguments and those that are constants.
	builder func(c *compiler, call *scalar.Call) (impl, error)
)

// An impl is one of fn0 … fnN or a builder.
type impl any

// functions is every implementation by its function's ID.
var functions = func() map[string]impl {
	all := map[string]impl{}
	for _, table := range []map[string]impl{
		castFuncs, mathFuncs, numericFuncs, textFuncs, byteaFuncs, patternFuncs, regexpFuncs, datetimeFuncs, dateFieldFuncs, formatFuncs, charFuncs, numberFormatFuncs,
		jsonBuildFuncs, overlapsFuncs,
		jsonFuncs, contextFuncs, systemFuncs,
	} {
		for id, f := range table {
			if _, twice := all[id]; twice {
				panic("eval: two implementations of " + id)
			}
			all[id] = f
		}
	}
	return all
}()

type compiler struct{ in []types.Type }

func (c *compiler) exprs(es []scalar.Expr) ([]evalFn, error) {
	fns := make([]evalFn, len(es))
	for i, e := range es {
		var err error
		if fns[i], err = c.expr(e); err != nil {
			return nil, err
		}
	}
	return fns, nil
}

func (c *compiler) expr(e scalar.Expr) (evalFn, error) {
	switch e := e.(type) {
	case *scalar.Column:
		if e.Index >= len(c.in) {
			return nil, fmt.Errorf("eval: column %d of %d", e.Index, len(c.in))
		}
		return column(e.Index, c.in[e.Index].OID), nil
	case *scalar.Const:
		d := e.Value
		return func(*Frame) (types.Datum, error) { return d, nil }, nil
	case *scalar.Param:
		return nil, fmt.Errorf("eval: parameter $%d has no value", e.N)
	case *scalar.Call:
		return c.call(e)
	case *scalar.Logic:
		return c.logic(e)
	case *scalar.Not:
		x, err := c.expr(e.X)
		return func(f *Frame) (types.Datum, error) {
			d, err := x(f)
			d.I ^= 1
			return d, err
		}, err
	case *scalar.IsNull:
		return c.isNull(e)
	case *scalar.IsBool:
		x, err := c.expr(e.X)
		want, neg := types.DBool(e.Want).I, e.Neg
		return func(f *Frame) (types.Datum, error) {
			d, err := x(f)
			return types.DBool((!d.Null && d.I == want) != neg), err
		}, err
	case *scalar.Distinct:
		return c.distinct(e)
	case *scalar.Case:
		return c.caseExpr(e)
	case *scalar.Coalesce:
		args, err := c.exprs(e.Args)
		return func(f *Frame) (types.Datum, error) {
			for _, a := range args {
				if d, err := a(f); err != nil || !d.Null {
					return d, err
				}
			}
			return types.NullDatum, nil
		}, err
	case *scalar.MinMax:
		return c.minMax(e)
	case *scalar.InList:
		return c.inList(e)
	}
	return nil, fmt.Errorf("eval: unknown expression %T", e)
}

// column reads a column, decoding by its type.
func column(i int, t types.OID) evalFn {
	switch t {
	case types.Int4, types.Date:
		return func(f *Frame) (types.Datum, error) {
			s := f.span(i)
			if s.Len < 0 {
				return types.NullDatum, nil
			}
			p := f.row[s.Off : s.Off+4]
			return types.Datum{I: int64(int32(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24))}, nil
		}
	}
	if t.InI() {
		return func(f *Frame) (types.Datum, error) {
			return types.DecodeSpan(t, f.row, f.span(i)), nil
		}
	}
	return func(f *Frame) (types.Datum, error) {
		s := f.span(i)
		if s.Len < 0 {
			return types.NullDatum, nil
		}
		return types.Datum{B: f.row[s.Off : s.Off+s.Len]}, nil
	}
}

func (c *compiler) logic(e *scalar.Logic) (evalFn, error) {
	args, err := c.exprs(e.Args)
	if err != nil {
		return nil, err
	}
	stop := types.DBool(e.Or).I // the value that decides
	if len(args) == 2 {
		l, r := args[0], args[1]
		return func(f *Frame) (types.Datum, error) {
			a, err := l(f)
			if err != nil || !a.Null && a.I == stop {
				return a, err
			}
			b, err := r(f)
			if a.Null && !b.Null && b.I != stop {
				return a, err
			}
			return b, err
		}, nil
	}
	return func(f *Frame) (types.Datum, error) {
		null := false
		for _, a := range args {
			d, err := a(f)
			switch {
			case err != nil:
				return d, err
			case d.Null:
				null = true
			case d.I == stop:
				return d, nil
			}
		}
		return types.Datum{I: stop ^ 1, Null: null}, nil
	}, nil
}

func (c *compiler) isNull(e *scalar.IsNull) (evalFn, error) {
	neg := e.Neg
	if col, ok := e.X.(*scalar.Column); ok {
		i := col.Index
		return func(f *Frame) (types.Datum, error) { return types.DBool((f.span(i).Len < 0) != neg), nil }, nil
	}
	x, err := c.expr(e.X)
	return func(f *Frame) (types.Datum, error) {
		d, err := x(f)
		return types.DBool(d.Null != neg), err
	}, err
}

func (c *compiler) distinct(e *scalar.Distinct) (evalFn, error) {
	args, err := c.exprs([]scalar.Expr{e.L, e.R})
	if err != nil {
		return nil, err
	}
	cmp := comparer(e.L.Type().OID, e.R.Type().OID)
	l, r, neg := args[0], args[1], e.Neg
	return func(f *Frame) (types.Datum, error) {
		a, err := l(f)
		if err != nil {
			return a, err
		}
		b, err := r(f)
		if err != nil {
			return b, err
		}
		same := a.Null && b.Null
		if !a.Null && !b.Null {
			same = cmp(f, a, b) == 0
		}
		return types.DBool(same == neg), nil
	}, nil
}

func (c *compiler) caseExpr(e *scalar.Case) (evalFn, error) {
	type arm struct{ cond, result evalFn }
	arms := make([]arm, len(e.Whens))
	for i, w := range e.Whens {
		fns, err := c.exprs([]scalar.Expr{w.Cond, w.Result})
		if err != nil {
			return nil, err
		}
		arms[i] = arm{fns[0], fns[1]}
	}
	rest := func(*Frame) (types.Datum, error) { return types.NullDatum, nil }
	if e.Else != nil {
		fn, err := c.expr(e.Else)
		if err != nil {
			return nil, err
		}
		rest = fn
	}
	return func(f *Frame) (types.Datum, error) {
		for i := range arms {
			d, err := arms[i].cond(f)
			if err != nil {
				return d, err
			}
			if !d.Null && d.I != 0 {
				return arms[i].result(f)
			}
		}
		return rest(f)
	}, nil
}

func (c *compiler) minMax(e *scalar.MinMax) (evalFn, error) {
	args, err := c.exprs(e.Args)
	t, sign := e.Typ.OID, -1
	if e.Greatest {
		sign = 1
	}
	return func(f *Frame) (types.Datum, error) {
		best := types.NullDatum
		for _, a := range args {
			d, err := a(f)
			if err != nil {
				return d, err
			}
			if !d.Null && (best.Null || types.Compare(t, d, best)*sign > 0) {
				best = d
			}
		}
		return best, nil
	}, err
}

// call compiles a function call: an operator or function by its ID.
func (c *compiler) call(e *scalar.Call) (evalFn, error) {
	fn, err := c.implementation(e)
	if err != nil {
		return nil, err
	}
	if fn, ok := fn.(evalFn); ok {
		return fn, nil
	}
	args, err := c.exprs(e.Args)
	if err != nil {
		return nil, err
	}
	if e.Fn.NotStrict {
		return lax(fn, args)
	}
	return strict(fn, args)
}

// implementation finds what a call runs; an evalFn evaluates its arguments itself.
func (c *compiler) implementation(e *scalar.Call) (impl, error) {
	var fn impl
	if e.Fn.Operator {
		var err error
		if fn, err = c.operator(e); fn != nil || err != nil {
			return fn, err
		}
	}
	fn = functions[e.Fn.ID]
	if e.Fn.Name == "io" {
		fn = ioCast(e.Fn.Args[0], e.Typ)
	}
	if b, ok := fn.(builder); ok {
		return b(c, e)
	}
	if fn == nil {
		return nil, pgerr.Unsupported(e.Pos, "function %s", e.Fn.ID)
	}
	return fn, nil
}

// constArg gives the i-th argument of a call where it is a constant that is not NULL.
func constArg(e *scalar.Call, i int) (types.Datum, bool) {
	if i < len(e.Args) {
		if k, ok := e.Args[i].(*scalar.Const); ok && !k.Value.Null {
			return k.Value, true
		}
	}
	return types.Datum{}, false
}

// strict wraps an implementation: NULL in, NULL out.
func strict(fn impl, args []evalFn) (evalFn, error) {
	switch fn := fn.(type) {
	case fn0:
		return evalFn(fn), nil
	case fn1:
		x := args[0]
		return func(f *Frame) (types.Datum, error) {
			a, err := x(f)
			if err != nil || a.Null {
				return a, err
			}
			return fn(f, a)
		}, nil
	case fn2:
		x, y := args[0], args[1]
		return func(f *Frame) (types.Datum, error) {
			a, err := x(f)
			if err != nil {
				return a, err
			}
			b, err := y(f)
			if err != nil || b.Null {
				return b, err
			}
			if a.Null {
				return a, nil
			}
			return fn(f, a, b)
		}, nil
	case fn3:
		x, y, z := args[0], args[1], args[2]
		return func(f *Frame) (types.Datum, error) {
			a, err := x(f)
			if err != nil {
				return a, err
			}
			b, err := y(f)
			if err != nil {
				return b, err
			}
			c, err := z(f)
			if err != nil || c.Null {
				return c, err
			}
			if a.Null || b.Null {
				return types.NullDatum, nil
			}
			return fn(f, a, b, c)
		}, nil
	case fnN:
		return func(f *Frame) (types.Datum, error) {
			base := len(f.stack)
			defer func() { f.stack = f.stack[:base] }()
			null := false
			for _, a := range args {
				d, err := a(f)
				if err != nil {
					return d, err
				}
				null = null || d.Null
				f.stack = append(f.stack, d)
			}
			if null {
				return types.NullDatum, nil
			}
			return fn(f, f.stack[base:])
		}, nil
	}
	return nil, fmt.Errorf("eval: no way to call %T", fn)
}

// lax calls an implementation that sees NULLs.
func lax(fn impl, args []evalFn) (evalFn, error) {
	n, ok := fn.(fnN)
	if !ok {
		return nil, fmt.Errorf("eval: no way to call %T", fn)
	}
	return func(f *Frame) (types.Datum, error) {
		base := len(f.stack)
		defer func() { f.stack = f.stack[:base] }()
		for _, a := range args {
			d, err := a(f)
			if err != nil {
				return d, err
			}
			f.stack = append(f.stack, d)
		}
		return n(f, f.stack[base:])
	}, nil
}
