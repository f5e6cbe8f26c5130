package binder

import (
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// typeName is how errors show a type, format_type_be().
func typeName(t types.OID) string {
	switch t {
	case types.BPChar:
		return "character"
	case types.BPCharArray:
		return "character[]"
	}
	return t.String()
}

// canCoerce reports whether a value of type from may become to in the context.
func canCoerce(from, to types.OID, ctx scalar.CastContext) bool {
	if from == to || from == types.Unknown || to == types.Any || to == types.AnyElement {
		return true
	}
	m, _ := scalar.FindCast(from, to, ctx)
	return m != scalar.NoCast
}

// coerceOID converts e to a type without modifier; the caller knows that
// canCoerce. An unknown literal is parsed, an unknown parameter takes the type.
func (b *Binder) coerceOID(e scalar.Expr, to types.OID, ctx scalar.CastContext) scalar.Expr {
	from := e.Type().OID
	if from == to || to == types.Any && from != types.Unknown || to == types.AnyElement {
		return e
	}
	if from == types.Unknown {
		p, param := e.(*scalar.Param)
		switch {
		case to == types.Any && param:
			return b.undetermined(p)
		case to == types.Any:
			to = types.Text
		}
		switch e := e.(type) {
		case *scalar.Const:
			return b.put(b.literal(e, types.T(to)), b.pos(e))
		case *scalar.Param:
			return b.put(b.inferParam(e, to), b.pos(e))
		}
	}
	m, fn := scalar.FindCast(from, to, ctx)
	switch m {
	case scalar.Relabel:
		return b.withType(e, types.T(to))
	case scalar.FuncCast:
		args := []scalar.Expr{b.withType(e, types.Type{OID: fn.Args[0], Mod: e.Type().Mod})}
		if fn.Args[0] == from {
			args[0] = e
		}
		if len(fn.Args) > 1 {
			args = append(args, intConst(-1))
		}
		if len(fn.Args) > 2 {
			args = append(args, boolConst(ctx == scalar.ExplicitCast))
		}
		return b.put(&scalar.Call{Fn: fn, Args: args, Typ: types.T(to), Pos: b.pos(e)}, b.pos(e))
	}
	failf(pgerr.CannotCoerce, b.pos(e), "cannot cast type %s to %s", typeName(from), typeName(to))
	return nil
}

// literal parses an unknown literal as a type.
func (b *Binder) literal(c *scalar.Const, t types.Type) scalar.Expr {
	if c.Value.Null {
		return &scalar.Const{Typ: t, Value: types.NullDatum}
	}
	d, err := b.opts.Format.ParseDatum(t, string(c.Value.B))
	if err != nil {
		failAt(err, b.pos(c))
	}
	return &scalar.Const{Typ: t, Value: d}
}

// inferParam settles the type of a parameter.
func (b *Binder) inferParam(p *scalar.Param, to types.OID) scalar.Expr {
	switch known := b.params[p.N-1]; known {
	case 0, types.Unknown:
		b.params[p.N-1] = to
	case to:
	default:
		fail(pgerr.Newf(pgerr.AmbiguousParameter, "inconsistent types deduced for parameter $%d", p.N).
			WithDetail("%s versus %s", typeName(known), typeName(to)).At(b.pos(p)))
	}
	return &scalar.Param{N: p.N, Typ: types.T(to)}
}

// undetermined notes a parameter in a place that says nothing of its type.
func (b *Binder) undetermined(p *scalar.Param) scalar.Expr {
	b.open = append(b.open, p)
	return p
}

// coerceMod applies a type modifier to a value of the right type.
func (b *Binder) coerceMod(e scalar.Expr, t types.Type, ctx scalar.CastContext) scalar.Expr {
	if e.Type().Mod == t.Mod {
		return e
	}
	if t.Mod < 0 {
		return b.withType(e, t)
	}
	if c, ok := e.(*scalar.Const); ok && c.Value.Null {
		return b.withType(e, t)
	}
	fn := scalar.LengthCast(t)
	if fn == nil {
		return b.withType(e, t)
	}
	args := []scalar.Expr{e, intConst(t.Mod)}
	if len(fn.Args) > 2 {
		args = append(args, boolConst(ctx == scalar.ExplicitCast))
	}
	return b.put(&scalar.Call{Fn: fn, Args: args, Typ: t, Pos: b.pos(e)}, b.pos(e))
}

// coerceTo converts e to a type with its modifier, nil if there is no way.
func (b *Binder) coerceTo(e scalar.Expr, t types.Type, ctx scalar.CastContext) scalar.Expr {
	if !canCoerce(e.Type().OID, t.OID, ctx) {
		return nil
	}
	if c, ok := e.(*scalar.Const); ok && c.Typ.OID == types.Unknown && t.OID == types.Interval && t.Mod >= 0 {
		// The fields of an interval type say what a bare number in its literal means.
		return b.put(b.literal(c, t), b.pos(e))
	}
	return b.coerceMod(b.coerceOID(e, t.OID, ctx), t, ctx)
}

// coerceFor converts the argument of a clause, such as WHERE or LIMIT.
func (b *Binder) coerceFor(e scalar.Expr, t types.OID, clause string) scalar.Expr {
	r := b.coerceTo(e, types.T(t), scalar.AssignmentCast)
	if r == nil {
		failf(pgerr.DatatypeMismatch, b.pos(e), "argument of %s must be type %s, not type %s", clause, typeName(t), typeName(e.Type().OID))
	}
	return r
}

// commonType is select_common_type: the one type that all expressions can
// take. context names the construct in errors.
func (b *Binder) commonType(es []scalar.Expr, context string) types.OID {
	t, bad := commonOID(es)
	if bad != nil {
		failf(pgerr.DatatypeMismatch, b.pos(bad), "%s types %s and %s cannot be matched", context, typeName(t), typeName(bad.Type().OID))
	}
	return t
}

// commonOID gives the common type, or the type so far and the expression that
// does not go with it.
func commonOID(es []scalar.Expr) (types.OID, scalar.Expr) {
	p := es[0].Type().OID
	for _, e := range es[1:] {
		n := e.Type().OID
		switch {
		case n == types.Unknown || n == p:
		case p == types.Unknown:
			p = n
		case scalar.Category(n) != scalar.Category(p):
			return p, e
		case !scalar.Preferred(p) && canCoerce(p, n, scalar.ImplicitCast) && !canCoerce(n, p, scalar.ImplicitCast):
			p = n
		}
	}
	if p == types.Unknown {
		p = types.Text
	}
	return p, nil
}

// unify converts all expressions to their common type, in place, and gives it.
func (b *Binder) unify(es []scalar.Expr, context string) types.Type {
	t := types.Type{OID: b.commonType(es, context), Mod: commonMod(es)}
	for i, e := range es {
		es[i] = b.toCommon(e, t.OID, context)
	}
	return t
}

// toCommon converts an expression to the common type found before.
func (b *Binder) toCommon(e scalar.Expr, t types.OID, context string) scalar.Expr {
	if !canCoerce(e.Type().OID, t, scalar.ImplicitCast) {
		failf(pgerr.CannotCoerce, b.pos(e), "%s could not convert type %s to %s", context, typeName(e.Type().OID), typeName(t))
	}
	return b.coerceOID(e, t, scalar.ImplicitCast)
}

// commonMod is the modifier that all expressions share with their type, or −1;
// their type is then the common type.
func commonMod(es []scalar.Expr) int32 {
	for _, e := range es[1:] {
		if e.Type() != es[0].Type() {
			return -1
		}
	}
	return es[0].Type().Mod
}

// textual makes an expression that is still of type unknown text.
func (b *Binder) textual(e scalar.Expr) scalar.Expr {
	if e.Type().OID == types.Unknown {
		return b.coerceOID(e, types.Text, scalar.ImplicitCast)
	}
	return e
}

func intConst(v int32) scalar.Expr {
	return &scalar.Const{Typ: types.T(types.Int4), Value: types.DInt(int64(v))}
}

func boolConst(v bool) scalar.Expr {
	return &scalar.Const{Typ: types.T(types.Bool), Value: types.DBool(v)}
}

// equality is the equality operator of a type for GROUP BY, DISTINCT and the
// like; 42883 if it has none.
func (b *Binder) equality(t types.OID, pos int) {
	if t == types.JSON {
		failf(pgerr.UndefinedFunction, pos, "could not identify an equality operator for type %s", t)
	}
}

// comparison checks that a type can be compared, for GREATEST and LEAST.
func (b *Binder) comparison(t types.OID) {
	if t == types.JSON {
		failf(pgerr.UndefinedFunction, 0, "could not identify a comparison function for type %s", t)
	}
}

// ordering checks that a type can be sorted.
func (b *Binder) ordering(t types.OID, pos int) {
	if t == types.JSON {
		fail(pgerr.Newf(pgerr.UndefinedFunction, "could not identify an ordering operator for type %s", t).
			WithHint("Use an explicit ordering operator or modify the query.").At(pos))
	}
}
