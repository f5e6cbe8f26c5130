package binder

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// inExpr binds x IN (list). As PostgreSQL does, the items without columns are
// converted with x to one type if there are several; the others are compared one by one.
func (s *scope) inExpr(e *ast.In) scalar.Expr {
	pos := int(e.Pos)
	name := "="
	if e.Not {
		name = "<>"
	}
	if l, ok := e.X.(*ast.RowExpr); ok {
		var args []scalar.Expr
		for _, item := range e.List {
			r, ok := item.(*ast.RowExpr)
			if !ok {
				unsupported(e.Pos, "a row as a value")
			}
			args = append(args, s.rowCompare(name, l, r, pos))
		}
		return s.b.put(logic(!e.Not, args), s.b.leftmost(0, args...))
	}
	x := s.expr(e.X)
	items := s.exprs(e.List)
	return s.any(name, e.Not, x, items, "IN", pos)
}

// any is x op item for any, or all, of the items.
func (s *scope) any(name string, all bool, x scalar.Expr, items []scalar.Expr, context string, pos int) scalar.Expr {
	at := s.b.leftmost(pos, x)
	if fn := volatile(x); fn != nil && len(items) > 1 {
		unsupported(ast.Pos(pos), "volatile function %s before IN", fn.Name)
	}
	var free, rest []scalar.Expr
	for _, i := range items {
		if find(i, isColumn) == nil && find(i, isAgg) == nil {
			free = append(free, i)
		} else {
			rest = append(rest, i)
		}
	}
	var args []scalar.Expr
	if len(free) > 1 {
		both := append([]scalar.Expr{x}, free...)
		convertible := func(t types.OID) bool {
			return t.Elem() == 0 && !slices.ContainsFunc(both, func(e scalar.Expr) bool { return !canCoerce(e.Type().OID, t, scalar.ImplicitCast) })
		}
		if t, bad := commonOID(both); bad == nil && convertible(t) {
			for i := range free {
				free[i] = s.b.toCommon(free[i], t, context)
			}
			if l := s.inList(name, x, t, free, pos); l != nil {
				args, free = []scalar.Expr{l}, nil
			}
		}
	} else {
		free, rest = nil, items
	}
	for _, i := range append(free, rest...) {
		args = append(args, s.b.coerceFor(s.operator(name, x, i, pos), types.Bool, context))
	}
	return s.b.put(logic(!all, args), at)
}

// inList makes an InList of constants of one type, if x = item is that type's
// own equality; else nil.
func (s *scope) inList(name string, x scalar.Expr, t types.OID, items []scalar.Expr, pos int) scalar.Expr {
	if name != "=" && name != "<>" {
		return nil
	}
	list := &scalar.InList{Neg: name == "<>"}
	for _, i := range items {
		c := s.fold(i)
		switch {
		case c == nil:
			return nil
		case c.Value.Null:
			list.HasNull = true
		default:
			list.List = append(list.List, c.Value)
		}
	}
	eq := s.operator("=", x, &scalar.Const{Typ: types.T(t), Value: types.NullDatum}, pos).(*scalar.Call)
	if eq.Fn.Args[0] != eq.Fn.Args[1] || eq.Args[1].Type().OID != t {
		eq = s.operator("=", s.b.toCommon(x, t, "IN"), &scalar.Const{Typ: types.T(t), Value: types.NullDatum}, pos).(*scalar.Call)
	}
	if eq.Fn.Args[0] != eq.Fn.Args[1] {
		return nil
	}
	list.X = eq.Args[0]
	return list
}

// fold gives the constant that an expression is: itself, or a literal under
// an implicit conversion whose text both types read alike; else nil.
func (s *scope) fold(e scalar.Expr) *scalar.Const {
	if c, ok := e.(*scalar.Const); ok {
		return c
	}
	call, ok := e.(*scalar.Call)
	if !ok || len(call.Args) != 1 || call.Typ.Mod >= 0 {
		return nil
	}
	c, ok := call.Args[0].(*scalar.Const)
	if !ok || scalar.Category(c.Typ.OID) != 'N' || scalar.Category(call.Typ.OID) != 'N' || call.Fn.Operator {
		return nil
	}
	if m, fn := scalar.FindCast(c.Typ.OID, call.Typ.OID, scalar.ImplicitCast); m != scalar.FuncCast || fn != call.Fn {
		return nil
	}
	if c.Value.Null {
		return &scalar.Const{Typ: call.Typ, Value: types.NullDatum}
	}
	d, err := types.ParseDatum(call.Typ, s.b.opts.Format.DatumText(c.Typ.OID, c.Value))
	if err != nil {
		return nil
	}
	return &scalar.Const{Typ: call.Typ, Value: d}
}

// anyArray binds x op ANY or ALL (ARRAY[…]) as comparisons with the elements.
func (s *scope) anyArray(e *ast.AnyArray) scalar.Expr {
	arr, ok := e.Array.(*ast.Array)
	if !ok || len(arr.Elems) == 0 || slices.ContainsFunc(arr.Elems, func(x ast.Expr) bool { _, nested := x.(*ast.Array); return nested }) {
		unsupported(e.Pos, "ANY or ALL of an array that is not written out")
	}
	x := s.expr(e.X)
	items := s.exprs(arr.Elems)
	t := s.b.commonType(items, "ARRAY")
	if slices.ContainsFunc(items, func(e scalar.Expr) bool { return e.Type().OID != types.Unknown }) {
		for i := range items {
			items[i] = s.b.toCommon(items[i], t, "ARRAY")
		}
	}
	return s.any(e.Op, e.All, x, items, "ANY", int(e.Pos))
}

func (s *scope) sameLength(l, r *ast.RowExpr, pos int) {
	if len(l.Elems) != len(r.Elems) {
		failf(pgerr.SyntaxError, pos, "unequal number of entries in row expressions")
	}
	if len(l.Elems) == 0 {
		failf(pgerr.FeatureNotSupported, pos, "cannot compare rows of zero length")
	}
}

// rowCompare expands a comparison of rows: equality column by column, order
// by the first columns that differ.
func (s *scope) rowCompare(name string, l, r *ast.RowExpr, pos int) scalar.Expr {
	s.sameLength(l, r, pos)
	switch name {
	case "=", "<>", "<", "<=", ">", ">=":
	default:
		unsupported(ast.Pos(pos), "operator %s of rows", name)
	}
	n := len(l.Elems)
	ls, rs := s.exprs(l.Elems), s.exprs(r.Elems)
	for _, e := range slices.Concat(ls, rs) {
		if fn := volatile(e); fn != nil {
			unsupported(ast.Pos(pos), "volatile function %s in a comparison of rows", fn.Name)
		}
	}
	cmp := func(name string, i int) scalar.Expr { return s.operator(name, ls[i], rs[i], pos) }
	var args []scalar.Expr
	for i := range n {
		args = append(args, cmp(name, i))
	}
	at := s.b.leftmost(0, args...)
	if name == "=" || name == "<>" {
		return s.b.put(logic(name == "<>", args), at)
	}
	// a < c OR (a = c AND (b < d …)): with NULLs it is NULL exactly when the
	// first pair that is not equal compares to NULL.
	out := args[n-1]
	for i := n - 2; i >= 0; i-- {
		eq := cmp("=", i)
		tail := &scalar.Logic{Args: []scalar.Expr{eq, out}}
		out = &scalar.Logic{Or: true, Args: []scalar.Expr{cmp(name[:1], i), tail}}
	}
	return s.b.put(out, at)
}
