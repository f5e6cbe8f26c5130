package eval

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// Fold replaces every immutable part of e that reads no column by its value.
// What raises an error when evaluated stays as it is: PostgreSQL raises it
// only when a row gets there.
func Fold(e scalar.Expr) (scalar.Expr, error) {
	f := NewFrame(nil)
	var failed error
	out := scalar.Rewrite(e, func(e scalar.Expr) scalar.Expr {
		if _, ok := e.(*scalar.Const); ok || !constantArgs(e) || scalar.VolatilityOf(e) != scalar.Immutable {
			return e
		}
		p, err := Compile(e, nil)
		if err != nil {
			failed = err
			return e
		}
		f.SetRow(nil)
		d, err := p.Eval(f)
		if err != nil {
			return e
		}
		d.B = slices.Clone(d.B)
		if d.Null {
			d = types.NullDatum
		}
		return &scalar.Const{Typ: e.Type(), Value: d}
	})
	return out, failed
}

// constantArgs reports whether e is not a leaf and its arguments are constants.
func constantArgs(e scalar.Expr) bool {
	switch e.(type) {
	case *scalar.Column, *scalar.Param:
		return false
	}
	for _, a := range scalar.Children(e) {
		if _, ok := a.(*scalar.Const); !ok {
			return false
		}
	}
	return true
}
