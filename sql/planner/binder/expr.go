package binder

import (
	"strconv"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// boolean binds a condition; what names it in an error.
func (s *scope) boolean(e ast.Expr, what string) scalar.Expr {
	return s.b.coerceFor(s.expr(e), types.Bool, what)
}

func (s *scope) exprs(es []ast.Expr) []scalar.Expr {
	out := make([]scalar.Expr, len(es))
	for i, e := range es {
		out[i] = s.expr(e)
	}
	return out
}

// expr binds an expression over the scope's row. Its type may be Unknown.
func (s *scope) expr(e ast.Expr) scalar.Expr {
	defer s.b.enter()()
	pos := e.Position()
	switch e := e.(type) {
	case *ast.ColumnRef:
		return s.column(e)
	case *ast.Const:
		return s.constant(e.Kind, e.Text, pos)
	case *ast.Param:
		return s.param(e)
	case *ast.Op:
		return s.op(e)
	case *ast.Logic:
		return s.logic(e)
	case *ast.Test:
		return s.test(e)
	case *ast.Distinct:
		return s.distinctFrom(e)
	case *ast.Between:
		return s.between(e)
	case *ast.LikeExpr:
		return s.like(e)
	case *ast.In:
		if e.Query != nil {
			unsupported(pos, "IN (subquery)")
		}
		return s.inExpr(e)
	case *ast.AnyArray:
		return s.anyArray(e)
	case *ast.Case:
		return s.caseExpr(e)
	case *ast.Call:
		return s.call(e)
	case *ast.Cast:
		return s.cast(e)
	case *ast.Collate:
		return s.collate(e)
	case *ast.FieldSelect:
		if c, ok := e.X.(*ast.ColumnRef); ok && !e.Star && len(c.Parts) == 1 && s.lookup(c.Parts[0], 0) == nil {
			return s.qualified("", c.Parts[0], e.Name, int(c.Pos))
		}
		unsupported(pos, "selecting a field of a row")
	case *ast.RowExpr:
		unsupported(pos, "a row as a value")
	case *ast.Array:
		unsupported(pos, "ARRAY")
	case *ast.Subscript:
		unsupported(pos, "subscripting")
	case *ast.Default:
		failf(pgerr.SyntaxError, int(pos), "DEFAULT is not allowed in this context")
	case *ast.GroupingSet:
		unsupported(pos, "grouping sets")
	case *ast.Subquery:
		unsupported(pos, "%s", map[ast.SubqueryKind]string{ast.ScalarSubquery: "a subquery as an expression", ast.ExistsSubquery: "EXISTS",
			ast.AnySubquery: "ANY (subquery)", ast.AllSubquery: "ALL (subquery)", ast.ArraySubquery: "ARRAY (subquery)"}[e.Kind])
	}
	unsupported(ast.Pos(pos), "this expression")
	return nil
}

// constant binds a literal: an integer is int4 if it fits, then int8, then numeric.
func (s *scope) constant(kind ast.ConstKind, text string, pos ast.Pos) scalar.Expr {
	b := s.b
	switch kind {
	case ast.NullConst:
		return b.put(&scalar.Const{Typ: types.T(types.Unknown), Value: types.NullDatum}, int(pos))
	case ast.BoolConst:
		return b.put(boolConst(text == "true"), int(pos))
	case ast.IntegerConst, ast.NumericConst:
		t := types.Numeric
		if v, err := strconv.ParseInt(text, 10, 64); err == nil && kind == ast.IntegerConst {
			if t = types.Int8; v == int64(int32(v)) {
				t = types.Int4
			}
			return b.put(&scalar.Const{Typ: types.T(t), Value: types.DInt(v)}, int(pos))
		}
		d, err := b.opts.Format.ParseDatum(types.T(t), text)
		if err != nil {
			failAt(err, int(pos))
		}
		return b.put(&scalar.Const{Typ: types.T(t), Value: d}, int(pos))
	case ast.BitConst:
		unsupported(pos, "a bit string")
	}
	return b.put(&scalar.Const{Typ: types.T(types.Unknown), Value: types.DString(text)}, int(pos))
}

// param binds $n, of its type as far as it is known by now.
func (s *scope) param(p *ast.Param) scalar.Expr {
	if p.N < 1 || p.N > 65535 {
		failf(pgerr.UndefinedParameter, int(p.Pos), "there is no parameter $%d", p.N)
	}
	b := s.b
	for len(b.params) < p.N {
		b.params = append(b.params, 0)
	}
	t := b.params[p.N-1]
	if t == 0 {
		t = types.Unknown
	}
	return b.put(&scalar.Param{N: p.N, Typ: types.T(t)}, int(p.Pos))
}

// op binds an operator. A minus before a numeric literal is part of the literal.
func (s *scope) op(o *ast.Op) scalar.Expr {
	pos := int(o.Pos)
	if o.Schema != "" && o.Schema != "pg_catalog" {
		failf(pgerr.UndefinedFunction, pos, "operator does not exist: %s.%s", o.Schema, o.Name)
	}
	if o.L == nil {
		if c := negated(o); c != nil {
			return s.constant(c.Kind, c.Text, c.Pos)
		}
		return s.operator(o.Name, nil, s.expr(o.R), pos)
	}
	if l, ok := o.L.(*ast.RowExpr); ok {
		if r, ok := o.R.(*ast.RowExpr); ok {
			return s.rowCompare(o.Name, l, r, pos)
		}
	}
	l := s.expr(o.L)
	return s.operator(o.Name, l, s.expr(o.R), pos)
}

// negated gives the literal that a prefix minus and a literal make, else nil.
func negated(o *ast.Op) *ast.Const {
	c, ok := o.R.(*ast.Const)
	if !ok || o.L != nil || o.Name != "-" || c.Kind != ast.IntegerConst && c.Kind != ast.NumericConst {
		return nil
	}
	text := "-" + c.Text
	if c.Text != "" && c.Text[0] == '-' {
		text = c.Text[1:]
	}
	return &ast.Const{Pos: o.Pos, Kind: c.Kind, Text: text}
}

func (s *scope) logic(l *ast.Logic) scalar.Expr {
	word := map[ast.LogicKind]string{ast.And: "AND", ast.Or: "OR", ast.Not: "NOT"}[l.Kind]
	args := make([]scalar.Expr, len(l.Args))
	for i, a := range l.Args {
		args[i] = s.boolean(a, word)
	}
	at := s.b.leftmost(int(l.Pos), args...)
	if l.Kind == ast.Not {
		return s.b.put(&scalar.Not{X: args[0]}, at)
	}
	return s.b.put(logic(l.Kind == ast.Or, args), at)
}

// logic is AND or OR of any number of conditions.
func logic(or bool, args []scalar.Expr) scalar.Expr {
	if len(args) == 1 {
		return args[0]
	}
	return &scalar.Logic{Or: or, Args: args}
}

func (s *scope) test(t *ast.Test) scalar.Expr {
	if t.Kind == ast.IsNull || t.Kind == ast.IsNotNull {
		neg := t.Kind == ast.IsNotNull
		if row, ok := t.Arg.(*ast.RowExpr); ok {
			var args []scalar.Expr
			for _, x := range s.exprs(row.Elems) {
				args = append(args, &scalar.IsNull{X: s.b.textual(x), Neg: neg})
			}
			if len(args) == 0 {
				unsupported(t.Pos, "an empty row")
			}
			return s.b.put(logic(false, args), int(row.Pos))
		}
		x := s.expr(t.Arg)
		if p, ok := x.(*scalar.Param); ok && p.Typ.OID == types.Unknown {
			x = s.b.undetermined(p)
		} else {
			x = s.b.textual(x)
		}
		return s.b.put(&scalar.IsNull{X: x, Neg: neg}, s.b.leftmost(int(t.Pos), x))
	}
	words := map[ast.TestKind]string{ast.IsTrue: "IS TRUE", ast.IsNotTrue: "IS NOT TRUE", ast.IsFalse: "IS FALSE",
		ast.IsNotFalse: "IS NOT FALSE", ast.IsUnknown: "IS UNKNOWN", ast.IsNotUnknown: "IS NOT UNKNOWN"}
	x := s.boolean(t.Arg, words[t.Kind])
	var r scalar.Expr
	switch t.Kind {
	case ast.IsUnknown, ast.IsNotUnknown:
		r = &scalar.IsNull{X: x, Neg: t.Kind == ast.IsNotUnknown}
	default:
		r = &scalar.IsBool{X: x, Want: t.Kind == ast.IsTrue || t.Kind == ast.IsNotTrue,
			Neg: t.Kind == ast.IsNotTrue || t.Kind == ast.IsNotFalse}
	}
	return s.b.put(r, s.b.leftmost(int(t.Pos), x))
}

func (s *scope) distinctFrom(d *ast.Distinct) scalar.Expr {
	if l, ok := d.L.(*ast.RowExpr); ok {
		if r, ok := d.R.(*ast.RowExpr); ok {
			s.sameLength(l, r, int(d.Pos))
			var args []scalar.Expr
			for i := range l.Elems {
				args = append(args, s.distinct(s.expr(l.Elems[i]), s.expr(r.Elems[i]), d.Not, int(d.Pos)))
			}
			return s.b.put(logic(!d.Not, args), s.b.leftmost(0, args...))
		}
	}
	l := s.expr(d.L)
	return s.distinct(l, s.expr(d.R), d.Not, int(d.Pos))
}

func (s *scope) distinct(l, r scalar.Expr, not bool, pos int) scalar.Expr {
	eq := s.operator("=", l, r, pos).(*scalar.Call)
	return s.b.put(&scalar.Distinct{L: eq.Args[0], R: eq.Args[1], Eq: eq.Fn, Neg: not}, s.b.leftmost(pos, l, r))
}

// between is two comparisons; SYMMETRIC tries both orders of the bounds.
func (s *scope) between(e *ast.Between) scalar.Expr {
	pos := int(e.Pos)
	side := func(low, high ast.Expr) scalar.Expr {
		x := s.expr(e.X)
		if fn := volatile(x); fn != nil {
			unsupported(e.Pos, "volatile function %s in BETWEEN", fn.Name)
		}
		if e.Not {
			l := s.operator("<", x, s.expr(low), pos)
			return s.b.put(&scalar.Logic{Or: true, Args: []scalar.Expr{l, s.operator(">", s.expr(e.X), s.expr(high), pos)}}, s.b.pos(l))
		}
		l := s.operator(">=", x, s.expr(low), pos)
		return s.b.put(&scalar.Logic{Args: []scalar.Expr{l, s.operator("<=", s.expr(e.X), s.expr(high), pos)}}, s.b.pos(l))
	}
	r := side(e.Low, e.High)
	if e.Symmetric {
		r = s.b.put(&scalar.Logic{Or: !e.Not, Args: []scalar.Expr{r, side(e.High, e.Low)}}, s.b.pos(r))
	}
	return s.b.put(r, s.b.leftmost(pos, r))
}

// like is the operator ~~, or ~~* for ILIKE; SIMILAR TO is a regular expression.
func (s *scope) like(e *ast.LikeExpr) scalar.Expr {
	pos := int(e.Pos)
	x, pattern := s.expr(e.X), s.expr(e.Pattern)
	name := map[ast.LikeKind]string{ast.Like: "~~", ast.ILike: "~~*", ast.SimilarTo: "~"}[e.Kind]
	args := []scalar.Expr{pattern}
	if e.Escape != nil {
		args = append(args, s.expr(e.Escape))
	}
	if e.Kind == ast.SimilarTo || e.Escape != nil {
		fn := "like_escape"
		if e.Kind == ast.SimilarTo {
			fn = "similar_to_escape"
		}
		c := &ast.Call{Pos: e.Pos, Name: []string{fn}, Args: make([]ast.Expr, len(args))}
		pattern = s.resolveCall(c, fn, args, nil)
	}
	if e.Not {
		name = "!" + name
	}
	return s.operator(name, x, pattern, pos)
}

// caseExpr binds CASE. ELSE counts first when the type is chosen.
func (s *scope) caseExpr(c *ast.Case) scalar.Expr {
	var arg scalar.Expr
	if c.Arg != nil {
		arg = s.b.textual(s.expr(c.Arg))
		if fn := volatile(arg); fn != nil && len(c.Whens) > 1 {
			unsupported(c.Pos, "volatile function %s as the argument of CASE", fn.Name)
		}
	}
	out := &scalar.Case{}
	results := []scalar.Expr{&scalar.Const{Typ: types.T(types.Unknown), Value: types.NullDatum}}
	for _, w := range c.Whens {
		var cond scalar.Expr
		if arg != nil {
			cond = s.b.coerceFor(s.operator("=", arg, s.expr(w.Cond), int(w.Cond.Position())), types.Bool, "CASE/WHEN")
		} else {
			cond = s.boolean(w.Cond, "CASE/WHEN")
		}
		out.Whens = append(out.Whens, scalar.When{Cond: cond})
		results = append(results, s.expr(w.Result))
	}
	if c.Else != nil {
		results[0] = s.expr(c.Else)
	}
	out.Typ = types.Type{OID: s.b.commonType(results, "CASE"), Mod: commonMod(results)}
	for i, r := range results {
		results[i] = s.b.toCommon(r, out.Typ.OID, map[bool]string{true: "CASE/ELSE", false: "CASE/WHEN"}[i == 0])
	}
	for i := range out.Whens {
		out.Whens[i].Result = results[i+1]
	}
	if c.Else != nil {
		out.Else = results[0]
	}
	return s.b.put(out, int(c.Pos))
}

// cast binds an explicit cast.
func (s *scope) cast(c *ast.Cast) scalar.Expr {
	t := s.b.typeName(c.Type)
	x := s.expr(c.X)
	r := s.b.coerceTo(x, t, scalar.ExplicitCast)
	if r == nil {
		if x.Type().OID.Elem() != 0 && t.OID.Elem() != 0 {
			unsupported(c.Pos, "a cast of %s to %s", typeName(x.Type().OID), typeName(t.OID))
		}
		pos := int(c.Pos)
		if pos == 0 {
			pos = s.b.pos(x)
		}
		failf(pgerr.CannotCoerce, pos, "cannot cast type %s to %s", typeName(x.Type().OID), typeName(t.OID))
	}
	if call, ok := r.(*scalar.Call); ok && r != x && call.Fn.Name != "io" {
		s.b.put(r, s.b.leftmost(int(c.Pos), x))
	}
	return r
}

// collate accepts the one collation that we have under its names.
func (s *scope) collate(c *ast.Collate) scalar.Expr {
	x := s.expr(c.X)
	name := c.Name[len(c.Name)-1]
	switch name {
	case "C", "default", "POSIX", "ucs_basic":
	default:
		unsupported(c.Pos, "collation %q", name)
	}
	if t := x.Type().OID; scalar.Category(t) != 'S' && t != types.Unknown {
		failf(pgerr.DatatypeMismatch, int(c.Pos), "collations are not supported by type %s", t)
	}
	if col, ok := x.(*scalar.Column); ok {
		c := *col
		x = s.b.put(&c, s.b.pos(col))
		s.b.opaque[x] = true
	}
	return x
}
