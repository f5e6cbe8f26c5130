package physical

import (
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// SubstituteParams gives the plan with values in place of parameters: args[0]
// is $1. The plan itself stays as it is; what has no parameter is shared.
func SubstituteParams(p *Plan, args []types.Datum) *Plan {
	s := &substitution{args: args}
	out := *p
	out.Root = s.node(p.Root)
	if p.Order != nil {
		o := *p.Order
		o.Limit, o.Offset = s.expr(o.Limit), s.expr(o.Offset)
		out.Order = &o
	}
	return &out
}

type substitution struct {
	args []types.Datum
	done map[Node]Node // of nodes with inputs: a DAG is walked once
}

func (s *substitution) expr(e scalar.Expr) scalar.Expr {
	if e == nil || !scalar.HasParam(e) {
		return e
	}
	return scalar.Rewrite(e, func(e scalar.Expr) scalar.Expr {
		if p, ok := e.(*scalar.Param); ok {
			return &scalar.Const{Typ: p.Typ, Value: s.args[p.N-1]}
		}
		return e
	})
}

// exprs substitutes in a list; the list itself comes back if nothing changed.
func (s *substitution) exprs(es []scalar.Expr) ([]scalar.Expr, bool) {
	var out []scalar.Expr
	for i, e := range es {
		if v := s.expr(e); v != e && out == nil {
			out = append(make([]scalar.Expr, 0, len(es)), es[:i]...)
			out = append(out, v)
		} else if out != nil {
			out = append(out, v)
		}
	}
	if out == nil {
		return es, false
	}
	return out, true
}

func (s *substitution) node(n Node) Node {
	if out, ok := s.done[n]; ok {
		return out
	}
	out := s.rebuild(n)
	if out != n {
		infoOf(out).FP = fingerprint(out)
	}
	if len(n.Inputs()) > 0 {
		if s.done == nil {
			s.done = map[Node]Node{}
		}
		s.done[n] = out
	}
	return out
}

func (s *substitution) rebuild(n Node) Node {
	switch n := n.(type) {
	case *Source:
		return s.source(n)
	case *Map:
		in := s.node(n.Input)
		preds, p := s.exprs(n.Preds)
		exprs, e := s.exprs(n.Exprs)
		if p || e || in != n.Input {
			return &Map{Info: n.Info, Input: in, Preds: preds, Exprs: exprs}
		}
	case *Arrange:
		if in := s.node(n.Input); in != n.Input {
			return &Arrange{Info: n.Info, Input: in, Key: n.Key}
		}
	case *Join:
		l, r := s.node(n.L), s.node(n.R)
		if residual, changed := s.exprs(n.Residual); changed || l != n.L || r != n.R {
			c := *n
			c.L, c.R, c.Residual = l, r, residual
			return &c
		}
	case *Reduce:
		if in := s.node(n.Input); in != n.Input {
			return &Reduce{Info: n.Info, Input: in, Keys: n.Keys, Aggs: n.Aggs, Tell: n.Tell}
		}
	case *Distinct:
		if in := s.node(n.Input); in != n.Input {
			return &Distinct{Info: n.Info, Input: in}
		}
	case *Union:
		u := &Union{Info: n.Info, All: make([]Node, len(n.All))}
		changed := false
		for i, c := range n.All {
			u.All[i] = s.node(c)
			changed = changed || u.All[i] != c
		}
		if changed {
			return u
		}
	}
	return n
}

func (s *substitution) source(n *Source) Node {
	if n.Lookup == nil {
		return n
	}
	l := *n.Lookup
	eq, changed := s.exprs(l.Eq)
	l.Eq, l.Low, l.High = eq, s.expr(l.Low), s.expr(l.High)
	if !changed && l.Low == n.Lookup.Low && l.High == n.Lookup.High {
		return n
	}
	c := *n
	c.Lookup = &l
	return &c
}
