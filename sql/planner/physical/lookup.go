package physical

import (
	"math"
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// lookup finds the key range that predicates leave of a relation; nil if they
// say nothing of its key's first column. All predicates must be true, so
// ignoring some only makes the range wider. rest are the predicates without the
// equalities that the range is of: keys are equal where values are.
func lookup(n *rel.Scan, preds []scalar.Expr) (l *Lookup, rest []scalar.Expr) {
	l, rest = &Lookup{}, preds
	find := func(col int, op string) (scalar.Expr, int) { return bound(rest, col, n.Cols[col].Type.OID, op) }
	for _, col := range n.Key {
		v, i := find(col, "=")
		if v == nil {
			if l.Low, _ = find(col, ">="); l.Low == nil {
				l.Low, _ = find(col, ">")
				l.LowX = l.Low != nil
			}
			if l.High, _ = find(col, "<="); l.High == nil {
				l.High, _ = find(col, "<")
				l.HighX = l.High != nil
			}
			break
		}
		l.Eq = append(l.Eq, v)
		rest = slices.Delete(slices.Clone(rest), i, i+1)
	}
	if len(l.Eq) == 0 && l.Low == nil && l.High == nil {
		return nil, preds
	}
	return l, rest
}

var swapped = map[string]string{"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

// bound finds column op value among predicates and gives the value as the
// column's type, and which predicate it is.
func bound(preds []scalar.Expr, col int, t types.OID, op string) (scalar.Expr, int) {
	for i, p := range preds {
		c, ok := p.(*scalar.Call)
		if !ok || !c.Fn.Operator || len(c.Args) != 2 {
			continue
		}
		x, v, name := c.Args[0], c.Args[1], c.Fn.Name
		if _, isCol := x.(*scalar.Column); !isCol {
			x, v, name = v, x, swapped[name]
		}
		if x, isCol := x.(*scalar.Column); !isCol || x.Index != col || name != op {
			continue
		}
		if v := keyValue(v, c.Fn, t); v != nil {
			return v, i
		}
	}
	return nil, 0
}

// keyValue gives a constant or parameter of a comparison as a value of a
// key column's type; nil if that is not the same comparison.
func keyValue(v scalar.Expr, fn *scalar.Func, t types.OID) scalar.Expr {
	switch v := v.(type) {
	case *scalar.Param:
		if fn.Args[0] == fn.Args[1] && rel.KeyFamily(v.Typ.OID) == rel.KeyFamily(t) {
			return v
		}
	case *scalar.Const:
		if v.Value.Null {
			return nil
		}
		if fn.Args[0] == fn.Args[1] && rel.KeyFamily(v.Typ.OID) == rel.KeyFamily(t) {
			return v
		}
		low, high, ok := intRange(t)
		if _, _, isInt := intRange(v.Typ.OID); ok && isInt && v.Value.I >= low && v.Value.I <= high {
			return &scalar.Const{Typ: types.T(t), Value: v.Value}
		}
	}
	return nil
}

func intRange(t types.OID) (low, high int64, ok bool) {
	switch t {
	case types.Int2:
		return math.MinInt16, math.MaxInt16, true
	case types.Int4:
		return math.MinInt32, math.MaxInt32, true
	case types.Int8:
		return math.MinInt64, math.MaxInt64, true
	}
	return 0, 0, false
}
