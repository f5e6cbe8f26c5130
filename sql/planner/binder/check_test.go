package binder

import (
	"fmt"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// checkTree verifies what every bound tree promises: columns lie within their
// input and have its type's representation, arguments have the types that functions
// declare, predicates are boolean, no type is Unknown.
func checkTree(n rel.Node) error {
	in := types.Schema{}
	for _, i := range n.Inputs() {
		if err := checkTree(i); err != nil {
			return err
		}
		if u, ok := n.(*rel.Union); ok {
			if err := sameTypes(u.All[0].Schema(), i.Schema()); err != nil {
				return err
			}
		} else {
			in = append(in[:len(in):len(in)], i.Schema()...)
		}
	}
	check := func(es []scalar.Expr, boolean bool) error {
		for _, e := range es {
			if boolean && e.Type().OID != types.Bool {
				return fmt.Errorf("predicate %s is %s", scalar.String(e), e.Type())
			}
			if err := checkExpr(e, in); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range n.Schema() {
		if c.Type.OID == types.Unknown || c.Type.OID == 0 {
			return fmt.Errorf("column %q of %s has type %s", c.Name, rel.Line(n), c.Type)
		}
	}
	switch n := n.(type) {
	case *rel.Values:
		for _, r := range n.Rows {
			if len(r) != len(n.Cols) {
				return fmt.Errorf("%d values for %d columns", len(r), len(n.Cols))
			}
			for i, e := range r {
				if e.Type().OID != n.Cols[i].Type.OID {
					return fmt.Errorf("value %s is %s, not %s", scalar.String(e), e.Type(), n.Cols[i].Type)
				}
			}
			if err := check(r, false); err != nil {
				return err
			}
		}
	case *rel.Filter:
		return check(n.Preds, true)
	case *rel.Project:
		if len(n.Names) != len(n.Exprs) {
			return fmt.Errorf("%d names for %d columns", len(n.Names), len(n.Exprs))
		}
		return check(n.Exprs, false)
	case *rel.Join:
		return check(n.On, true)
	case *rel.GroupBy:
		for _, a := range n.Aggs {
			if err := check(a.Args, false); err != nil {
				return err
			}
			if a.Filter != nil {
				if err := check([]scalar.Expr{a.Filter}, true); err != nil {
					return err
				}
			}
		}
		return check(n.Keys, false)
	}
	return nil
}

func sameTypes(a, b types.Schema) error {
	if len(a) != len(b) {
		return fmt.Errorf("union of %d and %d columns", len(a), len(b))
	}
	for i := range a {
		if a[i].Type != b[i].Type {
			return fmt.Errorf("union of %s and %s", a[i].Type, b[i].Type)
		}
	}
	return nil
}

func checkExpr(e scalar.Expr, in types.Schema) error {
	switch e := e.(type) {
	case *aggRef:
		return fmt.Errorf("aggregate left in an expression")
	case *scalar.Column:
		if e.Index < 0 || e.Index >= len(in) {
			return fmt.Errorf("column %s of %d", scalar.String(e), len(in))
		}
		if t := in[e.Index].Type.OID; t != e.Typ.OID {
			if m, _ := scalar.FindCast(t, e.Typ.OID, scalar.ExplicitCast); m != scalar.Relabel {
				return fmt.Errorf("column %s is %s, not %s", scalar.String(e), t, e.Typ)
			}
		}
	case *scalar.Call:
		for i, a := range e.Args {
			want := e.Fn.Args[min(i, len(e.Fn.Args)-1)]
			if got := a.Type().OID; got != want && want != types.Any && want != types.AnyElement {
				return fmt.Errorf("%s: argument %d is %s, not %s", scalar.String(e), i+1, got, want)
			}
		}
	}
	if t := e.Type().OID; t == types.Unknown || t == 0 {
		return fmt.Errorf("%s is unknown", scalar.String(e))
	}
	for _, c := range children(e) {
		if err := checkExpr(c, in); err != nil {
			return err
		}
	}
	return nil
}
