package binder

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A candidate is one overload of a name, its variadic argument expanded.
type candidate struct {
	args []types.OID
	fn   *scalar.Func
	agg  *scalar.AggFunc
}

// operator applies an operator; l is nil for a prefix operator.
func (s *scope) operator(name string, l, r scalar.Expr, pos int) scalar.Expr {
	args := []scalar.Expr{r}
	if l != nil {
		args = []scalar.Expr{l, r}
	}
	in := oids(args)
	var cands []candidate
	for _, f := range scalar.Operators(name) {
		if len(f.Args) == len(args) {
			cands = append(cands, candidate{args: f.Args, fn: f})
		}
	}
	c, ambiguous := resolveOperator(cands, in)
	if in[0] == types.Unknown && in[len(in)-1] == types.Unknown && elsewhere[name] {
		c, ambiguous = nil, true
	}
	if c == nil {
		s.arrayOperator(name, in, pos)
		sig := name + " " + typeName(in[len(in)-1])
		plural := "No operator matches the given name and argument type. You might need to add an explicit type cast."
		if l != nil {
			sig = typeName(in[0]) + " " + sig
			plural = "No operator matches the given name and argument types. You might need to add explicit type casts."
		}
		if ambiguous {
			fail(pgerr.Newf(pgerr.AmbiguousFunction, "operator is not unique: %s", sig).At(pos).
				WithHint("Could not choose a best candidate operator. You might need to add explicit type casts."))
		}
		fail(pgerr.Newf(pgerr.UndefinedFunction, "operator does not exist: %s", sig).At(pos).WithHint("%s", plural))
	}
	return s.b.apply(c.fn, c.args, args, pos)
}

// elsewhere are operators that PostgreSQL also has for types that we do not
// have, so that two unknown literals do not tell which is meant.
var elsewhere = map[string]bool{"@>": true, "<@": true, "?|": true}

// arrayOperator refuses by name the operators of arrays, which take any array.
func (s *scope) arrayOperator(name string, in []types.OID, pos int) {
	switch name {
	case "=", "<>", "<", "<=", ">", ">=", "||", "@>", "<@", "&&":
		for _, t := range in {
			if t.Elem() != 0 {
				unsupported(ast.Pos(pos), "operator %s of arrays", name)
			}
		}
	}
}

// resolveOperator is oper(): an exact match, where an unknown literal is taken
// to have the other side's type, else the best candidate.
func resolveOperator(cands []candidate, in []types.OID) (*candidate, bool) {
	exact := in
	if len(in) == 2 && in[0] != in[1] {
		switch types.Unknown {
		case in[0]:
			exact = []types.OID{in[1], in[1]}
		case in[1]:
			exact = []types.OID{in[0], in[0]}
		}
	}
	if c := exactMatch(cands, exact); c != nil {
		return c, false
	}
	return best(cands, in)
}

func exactMatch(cands []candidate, in []types.OID) *candidate {
next:
	for i, c := range cands {
		for j, t := range c.args {
			if t != in[j] {
				continue next
			}
		}
		return &cands[i]
	}
	return nil
}

// apply makes the call of a resolved function.
func (b *Binder) apply(fn *scalar.Func, sig []types.OID, args []scalar.Expr, pos int) scalar.Expr {
	ret := fn.Ret
	out := make([]scalar.Expr, len(args))
	elem := polymorphic(sig, args)
	for i, a := range args {
		t := sig[i]
		if t == types.AnyElement {
			t = elem
		}
		out[i] = b.coerceOID(a, t, scalar.ImplicitCast)
	}
	if ret == types.AnyElement {
		ret = elem
	}
	return b.put(&scalar.Call{Fn: fn, Args: out, Typ: types.T(ret), Pos: pos}, b.leftmost(pos, args...))
}

// polymorphic is the type that anyelement stands for in a call.
func polymorphic(sig []types.OID, args []scalar.Expr) types.OID {
	unknown := false
	for i, t := range sig {
		if t != types.AnyElement {
			continue
		}
		if a := args[i].Type().OID; a != types.Unknown {
			return a
		}
		unknown = true
	}
	if unknown {
		failf(pgerr.DatatypeMismatch, 0, "could not determine polymorphic type because input has type unknown")
	}
	return types.Unknown
}

func oids(es []scalar.Expr) []types.OID {
	ts := make([]types.OID, len(es))
	for i, e := range es {
		ts[i] = e.Type().OID
	}
	return ts
}

// best is func_select_candidate over those candidates that the arguments can
// be converted to. The second result says that there were several.
func best(cands []candidate, in []types.OID) (*candidate, bool) {
	cands = keep(cands, func(c candidate) bool { return accepts(c, in) })
	switch len(cands) {
	case 0:
		return nil, false
	case 1:
		return &cands[0], false
	}
	// Most exact matches.
	cands = most(cands, func(c candidate) int {
		n := 0
		for i, t := range c.args {
			if in[i] != types.Unknown && in[i] == t {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return &cands[0], false
	}
	// Most exact or preferred types.
	cands = most(cands, func(c candidate) int {
		n := 0
		for i, t := range c.args {
			if in[i] != types.Unknown && (in[i] == t || scalar.Category(in[i]) == scalar.Category(t) && scalar.Preferred(t)) {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return &cands[0], false
	}
	// The categories of unknown literals: string, if any candidate accepts it.
	for i, t := range in {
		if t != types.Unknown {
			continue
		}
		category, preferred, ok := slotCategory(cands, i)
		if !ok {
			return bestKnown(cands, in)
		}
		kept := keep(cands, func(c candidate) bool {
			return scalar.Category(c.args[i]) == category && (!preferred || scalar.Preferred(c.args[i]))
		})
		if len(kept) > 0 {
			cands = kept
		}
	}
	if len(cands) == 1 {
		return &cands[0], false
	}
	return bestKnown(cands, in)
}

// slotCategory is the category that an unknown argument is taken to have, and
// whether the preferred type of it is among the candidates.
func slotCategory(cands []candidate, i int) (category byte, preferred, ok bool) {
	conflict := false
	for _, c := range cands {
		cat, pref := scalar.Category(c.args[i]), scalar.Preferred(c.args[i])
		switch {
		case category == 0:
			category, preferred = cat, pref
		case cat == category:
			preferred = preferred || pref
		case cat == 'S':
			category, preferred = cat, pref
		default:
			conflict = true
		}
	}
	return category, preferred, !conflict || category == 'S'
}

// bestKnown takes unknown arguments to be of the type that all known ones have.
func bestKnown(cands []candidate, in []types.OID) (*candidate, bool) {
	known := types.Unknown
	unknowns := 0
	for _, t := range in {
		switch {
		case t == types.Unknown:
			unknowns++
		case known == types.Unknown:
			known = t
		case known != t:
			return nil, true
		}
	}
	if known == types.Unknown || unknowns == 0 {
		return nil, true
	}
	all := make([]types.OID, len(in))
	for i := range all {
		all[i] = known
	}
	cands = keep(cands, func(c candidate) bool { return accepts(c, all) })
	if len(cands) == 1 {
		return &cands[0], false
	}
	return nil, true
}

// accepts reports whether values of the types can be converted implicitly to
// the candidate's arguments.
func accepts(c candidate, in []types.OID) bool {
	elem := types.Unknown
	for i, t := range c.args {
		if !canCoerce(in[i], t, scalar.ImplicitCast) {
			return false
		}
		if t == types.AnyElement && in[i] != types.Unknown {
			if elem != types.Unknown && elem != in[i] {
				return false
			}
			elem = in[i]
		}
	}
	return true
}

func keep(cands []candidate, f func(candidate) bool) []candidate {
	var out []candidate
	for _, c := range cands {
		if f(c) {
			out = append(out, c)
		}
	}
	return out
}

// most keeps the candidates with the greatest score.
func most(cands []candidate, score func(candidate) int) []candidate {
	top := -1
	var out []candidate
	for _, c := range cands {
		switch n := score(c); {
		case n > top:
			top, out = n, []candidate{c}
		case n == top:
			out = append(out, c)
		}
	}
	return out
}

// functionCandidates are the overloads, plain and aggregate, that take n arguments.
func functionCandidates(name string, n int) []candidate {
	var out []candidate
	for _, f := range scalar.Functions(name) {
		switch {
		case len(f.Args) == n:
			out = append(out, candidate{args: f.Args, fn: f})
		case f.Variadic && n > len(f.Args):
			args := make([]types.OID, n)
			copy(args, f.Args)
			for i := len(f.Args); i < n; i++ {
				args[i] = f.Args[len(f.Args)-1]
			}
			out = append(out, candidate{args: args, fn: f})
		}
	}
	for _, a := range scalar.Aggregates(name) {
		if len(a.Args) == n {
			out = append(out, candidate{args: a.Args, agg: a})
		}
	}
	return out
}

// resolveFunction is func_get_detail without the conversions that look like
// calls. nil: none, or several.
func resolveFunction(cands []candidate, in []types.OID) (*candidate, bool) {
	if c := exactMatch(cands, in); c != nil {
		return c, false
	}
	return best(cands, in)
}

// signature is how errors show a call.
func signature(name string, in []types.OID) string {
	var sb strings.Builder
	sb.WriteString(name + "(")
	for i, t := range in {
		if i > 0 {
			sb.WriteString(", ")
		}
		sb.WriteString(typeName(t))
	}
	return sb.String() + ")"
}
