package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// simplify rewrites an expression from its operands up. notNull tells which
// columns are never NULL.
func (z *normalizer) simplify(e scalar.Expr, notNull []bool) scalar.Expr {
	return scalar.Rewrite(e, func(e scalar.Expr) scalar.Expr {
		switch x := e.(type) {
		case *scalar.Logic:
			return z.simplifyLogic(x)
		case *scalar.Not:
			return simplifyNot(x)
		case *scalar.IsNull:
			return simplifyIsNull(x, notNull)
		case *scalar.Case:
			return simplifyCase(x)
		case *scalar.Coalesce:
			return simplifyCoalesce(x, notNull)
		case *scalar.Call:
			if b := booleanEquality(x); b != nil {
				return b
			}
		}
		return z.fold(e)
	})
}

// fold evaluates an expression whose operands are constants.
func (z *normalizer) fold(e scalar.Expr) scalar.Expr {
	args := scalar.Children(e)
	if z.opt.Fold == nil || len(args) == 0 && !isCall(e) || slices.ContainsFunc(args, func(a scalar.Expr) bool { return !isConst(a) }) {
		return e
	}
	return z.opt.Fold(e)
}

func isCall(e scalar.Expr) bool { _, ok := e.(*scalar.Call); return ok }

func isConst(e scalar.Expr) bool { _, ok := e.(*scalar.Const); return ok }

// boolConst tells what a boolean constant is.
func boolConst(e scalar.Expr) (value, null, ok bool) {
	c, ok := e.(*scalar.Const)
	if !ok {
		return false, false, false
	}
	return c.Value.Bool(), c.Value.Null, true
}

func boolean(v bool) scalar.Expr {
	return &scalar.Const{Typ: types.T(types.Bool), Value: types.DBool(v)}
}

// simplifyLogic flattens, drops neutral and repeated arguments, decides by
// absorbing ones, and takes common conjuncts out of an OR.
func (z *normalizer) simplifyLogic(x *scalar.Logic) scalar.Expr {
	var args []scalar.Expr
	seen := map[string]bool{}
	var add func(list []scalar.Expr) bool
	add = func(list []scalar.Expr) bool {
		for _, a := range list {
			if l, ok := a.(*scalar.Logic); ok && l.Or == x.Or {
				if !add(l.Args) {
					return false
				}
				continue
			}
			if v, null, ok := boolConst(a); ok && !null {
				if v == x.Or {
					return false
				}
				continue
			}
			if fp := string(scalar.AppendFingerprint(nil, a)); !seen[fp] {
				seen[fp] = true
				args = append(args, a)
			}
		}
		return true
	}
	switch {
	case !add(x.Args):
		return boolean(x.Or)
	case len(args) == 0:
		return boolean(!x.Or)
	case len(args) == 1:
		return args[0]
	}
	if x.Or {
		if common := commonConjuncts(args); common != nil {
			return common
		}
	}
	if slices.Equal(args, x.Args) {
		return x
	}
	return &scalar.Logic{Or: x.Or, Args: args}
}

// commonConjuncts turns (a AND b) OR (a AND c) into a AND (b OR c); nil if
// the arguments have nothing in common.
func commonConjuncts(args []scalar.Expr) scalar.Expr {
	split := make([][]scalar.Expr, len(args))
	for i, a := range args {
		split[i] = rel.Conjuncts([]scalar.Expr{a})
	}
	has := func(list []scalar.Expr, e scalar.Expr) bool {
		return slices.ContainsFunc(list, func(f scalar.Expr) bool { return scalar.Equal(e, f) })
	}
	var common []scalar.Expr
	for _, e := range split[0] {
		if !slices.ContainsFunc(split[1:], func(list []scalar.Expr) bool { return !has(list, e) }) {
			common = append(common, e)
		}
	}
	if len(common) == 0 {
		return nil
	}
	var rest []scalar.Expr
	for _, list := range split {
		list = slices.DeleteFunc(list, func(e scalar.Expr) bool { return has(common, e) })
		if len(list) == 0 { // this alternative is the common part alone
			return conjunction(common)
		}
		rest = append(rest, conjunction(list))
	}
	return conjunction(append(common, &scalar.Logic{Or: true, Args: rest}))
}

func conjunction(args []scalar.Expr) scalar.Expr {
	if len(args) == 1 {
		return args[0]
	}
	return &scalar.Logic{Args: args}
}

// simplifyNot moves a NOT to the leaves.
func simplifyNot(n *scalar.Not) scalar.Expr {
	switch x := n.X.(type) {
	case *scalar.Const:
		if x.Value.Null {
			return x
		}
		return boolean(!x.Value.Bool())
	case *scalar.Not:
		return x.X
	case *scalar.IsNull:
		return &scalar.IsNull{X: x.X, Neg: !x.Neg}
	case *scalar.IsBool:
		return &scalar.IsBool{X: x.X, Want: x.Want, Neg: !x.Neg}
	case *scalar.Distinct:
		return &scalar.Distinct{L: x.L, R: x.R, Eq: x.Eq, Neg: !x.Neg}
	case *scalar.InList:
		return &scalar.InList{X: x.X, List: x.List, HasNull: x.HasNull, Neg: !x.Neg}
	case *scalar.Logic:
		return &scalar.Logic{Or: !x.Or, Args: rel.Map(x.Args, func(a scalar.Expr) scalar.Expr {
			return simplifyNot(&scalar.Not{X: a})
		})}
	case *scalar.Call:
		if f := negator(x.Fn); f != nil {
			return &scalar.Call{Fn: f, Args: x.Args, Typ: x.Typ, Pos: x.Pos}
		}
	}
	return n
}

func negator(f *scalar.Func) *scalar.Func {
	if !f.Operator || f.Negator == "" {
		return nil
	}
	for _, g := range scalar.Operators(f.Negator) {
		if slices.Equal(g.Args, f.Args) && g.Ret == f.Ret {
			return g
		}
	}
	return nil
}

func simplifyIsNull(n *scalar.IsNull, notNull []bool) scalar.Expr {
	switch x := n.X.(type) {
	case *scalar.Const:
		return boolean(x.Value.Null != n.Neg)
	case *scalar.Column:
		if notNull[x.Index] {
			return boolean(n.Neg)
		}
	}
	return n
}

func simplifyCase(n *scalar.Case) scalar.Expr {
	c := &scalar.Case{Else: n.Else, Typ: n.Typ}
	for _, w := range n.Whens {
		v, _, ok := boolConst(w.Cond)
		if ok && v {
			c.Else = w.Result
			break
		}
		if !ok {
			c.Whens = append(c.Whens, w)
		}
	}
	switch {
	case len(c.Whens) == len(n.Whens):
		return n
	case len(c.Whens) > 0:
		return c
	case c.Else == nil:
		return &scalar.Const{Typ: n.Typ, Value: types.NullDatum}
	case c.Else.Type() != n.Typ:
		return n
	}
	return c.Else
}

// simplifyCoalesce drops NULLs and what follows an argument that is never NULL.
func simplifyCoalesce(n *scalar.Coalesce, notNull []bool) scalar.Expr {
	var args []scalar.Expr
	for _, a := range n.Args {
		if c, ok := a.(*scalar.Const); ok && c.Value.Null {
			continue
		}
		args = append(args, a)
		if c, ok := a.(*scalar.Column); isConst(a) || ok && notNull[c.Index] {
			break
		}
	}
	switch {
	case len(args) == 0:
		return &scalar.Const{Typ: n.Typ, Value: types.NullDatum}
	case len(args) == 1 && args[0].Type() == n.Typ:
		return args[0]
	case len(args) == len(n.Args):
		return n
	}
	return &scalar.Coalesce{Args: args, Typ: n.Typ}
}

// booleanEquality turns x = true into x and x = false into NOT x.
func booleanEquality(c *scalar.Call) scalar.Expr {
	if !c.Fn.Operator || c.Fn.Name != "=" || len(c.Args) != 2 || c.Fn.Args[0] != types.Bool {
		return nil
	}
	x, v := c.Args[0], c.Args[1]
	if isConst(x) {
		x, v = v, x
	}
	value, null, ok := boolConst(v)
	switch {
	case !ok || null || isConst(x):
		return nil
	case value:
		return x
	}
	return simplifyNot(&scalar.Not{X: x})
}

// conjuncts normalizes a list of predicates that must all be true: ANDs are
// taken apart, true ones and repetitions dropped. false: one can never be true.
func conjuncts(preds []scalar.Expr) (out []scalar.Expr, possible bool) {
	seen := map[string]bool{}
	for _, p := range rel.Conjuncts(preds) {
		if v, null, ok := boolConst(p); ok {
			if null || !v {
				return nil, false
			}
			continue
		}
		if fp := string(scalar.AppendFingerprint(nil, p)); !seen[fp] {
			seen[fp] = true
			out = append(out, p)
		}
	}
	return out, true
}
