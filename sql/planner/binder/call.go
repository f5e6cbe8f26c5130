package binder

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// grammarFunctions stand behind keywords of the grammar: errors show them qualified.
var grammarFunctions = map[string]bool{"position": true, "extract": true, "timezone": true, "like_escape": true, "similar_to_escape": true}

// call binds a function or aggregate call.
func (s *scope) call(c *ast.Call) scalar.Expr {
	pos := int(c.Pos)
	name := c.Name[len(c.Name)-1]
	if len(c.Name) > 1 && c.Name[0] != "pg_catalog" && !s.b.cat.HasSchema(c.Name[0]) {
		failf(pgerr.InvalidSchemaName, pos, "schema %q does not exist", c.Name[0])
	}
	if c.Over != nil {
		unsupported(c.Pos, "window function %s", name)
	}
	if len(c.Name) == 1 && !c.Star {
		switch name {
		case "coalesce":
			args := s.exprs(c.Args)
			t := s.b.unify(args, "COALESCE")
			return s.b.put(&scalar.Coalesce{Args: args, Typ: t}, pos)
		case "greatest", "least":
			args := s.exprs(c.Args)
			t := s.b.unify(args, strings.ToUpper(name))
			s.b.comparison(t.OID)
			return s.b.put(&scalar.MinMax{Greatest: name == "greatest", Args: args, Typ: t}, pos)
		case "nullif":
			return s.nullif(c)
		}
	}
	switch {
	case c.Within != nil:
		unsupported(c.Pos, "ordered-set aggregate %s", name)
	case c.ArgNames != nil:
		unsupported(c.Pos, "a call of %s with named arguments", name)
	case c.Variadic:
		unsupported(c.Pos, "a VARIADIC argument of %s", name)
	}
	args := s.exprs(c.Args)
	var filter scalar.Expr
	if c.Filter != nil {
		s.in(inFilter, func() { filter = s.boolean(c.Filter, "FILTER") })
	}
	return s.resolveCall(c, name, args, filter)
}

func (s *scope) resolveCall(c *ast.Call, name string, args []scalar.Expr, filter scalar.Expr) scalar.Expr {
	pos := int(c.Pos)
	in := oids(args)
	shown := strings.Join(c.Name, ".")
	if len(c.Name) == 1 && grammarFunctions[name] {
		shown = "pg_catalog." + name
	}
	var found *candidate
	var several bool
	if len(c.Name) == 1 || c.Name[0] == "pg_catalog" {
		found, several = resolveFunction(s.b.functions(c, name), in)
		if conv := s.conversionCall(c, name, args, found, in); conv != nil {
			return conv
		}
	}
	switch {
	case found == nil && c.Star && len(scalar.Aggregates(name)) > 0:
		fail(pgerr.Newf(pgerr.UndefinedFunction, "function %s() does not exist", shown).At(pos).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."))
	case found == nil && several:
		fail(pgerr.Newf(pgerr.AmbiguousFunction, "function %s is not unique", signature(shown, in)).At(pos).
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts."))
	case found == nil && postgresFunctions()[name] == "window function":
		failf(pgerr.WrongObjectType, pos, "window function %s requires an OVER clause", name)
	case found == nil && foreign(c, name):
		unsupported(c.Pos, "%s %s", postgresFunctions()[name], name)
	case found == nil:
		fail(pgerr.Newf(pgerr.UndefinedFunction, "function %s does not exist", signature(shown, in)).At(pos).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts."))
	case found.agg != nil:
		return s.aggregate(c, found, args, filter)
	case c.Star:
		failf(pgerr.WrongObjectType, pos, "%s(*) specified, but %s is not an aggregate function", shown, shown)
	case c.Distinct:
		failf(pgerr.WrongObjectType, pos, "DISTINCT specified, but %s is not an aggregate function", shown)
	case c.OrderBy != nil:
		failf(pgerr.WrongObjectType, pos, "ORDER BY specified, but %s is not an aggregate function", shown)
	case c.Filter != nil:
		failf(pgerr.WrongObjectType, pos, "FILTER specified, but %s is not an aggregate function", shown)
	}
	r := s.b.apply(found.fn, found.args, args, pos)
	if c.SQLValue && len(args) == 1 {
		if k, ok := args[0].(*scalar.Const); ok { // current_timestamp(3) and its kin
			r.(*scalar.Call).Typ.Mod = int32(min(k.Value.I, 6))
		}
	}
	return r
}

// functions are the candidates of a call.
func (b *Binder) functions(c *ast.Call, name string) []candidate {
	if !c.Star {
		return functionCandidates(name, len(c.Args))
	}
	var out []candidate
	for _, a := range scalar.Aggregates(name) {
		if len(a.Args) == 0 {
			out = append(out, candidate{agg: a})
		}
	}
	if out == nil && scalar.Functions(name) != nil {
		return functionCandidates(name, 0)
	}
	return out
}

// conversionCall binds a call that is a cast in disguise, such as float8('1')
// or text(x): a type's name, one argument, and no function of just its type.
func (s *scope) conversionCall(c *ast.Call, name string, args []scalar.Expr, found *candidate, in []types.OID) scalar.Expr {
	if len(args) != 1 || c.Star || c.Distinct || c.Filter != nil || c.OrderBy != nil {
		return nil
	}
	if found != nil && found.args[0] == in[0] {
		return nil
	}
	t, ok := types.OIDByName(name)
	if !ok || strings.Contains(name, " ") {
		return nil
	}
	if in[0] != types.Unknown {
		if m, fn := scalar.FindCast(in[0], t, scalar.ExplicitCast); m == scalar.NoCast || m == scalar.FuncCast && fn.Name != "io" {
			return nil // a cast that is a function goes by the function's name
		}
	}
	return s.b.put(s.b.coerceOID(args[0], t, scalar.ExplicitCast), s.b.leftmost(int(c.Pos), args[0]))
}

// allowAggregate refuses an aggregate where there can be none.
func (s *scope) allowAggregate(pos int) {
	switch s.clause {
	case inTargets, inHaving, inOrderBy:
	default:
		failf(pgerr.GroupingError, pos, "aggregate functions are not allowed in %s", s.clause)
	}
}

// aggregate binds a resolved aggregate call.
func (s *scope) aggregate(c *ast.Call, found *candidate, args []scalar.Expr, filter scalar.Expr) scalar.Expr {
	pos := int(c.Pos)
	if c.OrderBy != nil {
		unsupported(c.Pos, "ORDER BY in an aggregate")
	}
	if len(args) == 0 && !c.Star {
		failf(pgerr.WrongObjectType, pos, "%s(*) must be used to call a parameterless aggregate function", found.agg.Name)
	}
	elem := polymorphic(found.args, args)
	for i, t := range found.args {
		if t == types.AnyElement {
			t = elem
		}
		args[i] = s.b.coerceOID(args[i], t, scalar.ImplicitCast)
		if c.Distinct {
			s.b.equality(args[i].Type().OID, s.b.pos(args[i]))
		}
	}
	for _, e := range args {
		if inner := find(e, isAgg); inner != nil {
			failf(pgerr.GroupingError, s.b.pos(inner), "aggregate function calls cannot be nested")
		}
	}
	s.allowAggregate(pos)
	ret := types.T(found.agg.Ret)
	if ret.OID == types.AnyElement {
		ret.OID = elem
	}
	s.hasAggs = true
	a := &aggRef{agg: scalar.Agg{Fn: found.agg, Args: args, Distinct: c.Distinct, Filter: filter, Typ: ret}, typ: ret}
	return s.b.put(a, pos)
}

// nullif is CASE WHEN a = b THEN NULL ELSE a END of the type that a has as
// an operand of =.
func (s *scope) nullif(c *ast.Call) scalar.Expr {
	l, r := s.expr(c.Args[0]), s.expr(c.Args[1])
	if fn := volatile(l); fn != nil {
		unsupported(c.Pos, "volatile function %s in NULLIF", fn.Name)
	}
	eq := s.operator("=", l, r, int(c.Pos))
	x := eq.(*scalar.Call).Args[0]
	t := x.Type()
	return s.b.put(&scalar.Case{
		Whens: []scalar.When{{Cond: eq, Result: &scalar.Const{Typ: t, Value: types.NullDatum}}},
		Else:  x, Typ: t,
	}, int(c.Pos))
}
