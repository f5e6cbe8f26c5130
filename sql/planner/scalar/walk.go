package scalar

import (
	"bytes"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/types"
)

// Children gives the direct arguments of an expression, in the order of evaluation.
func Children(e Expr) []Expr {
	switch e := e.(type) {
	case *Column, *Const, *Param:
		return nil
	case *Call:
		return e.Args
	case *Logic:
		return e.Args
	case *Not:
		return []Expr{e.X}
	case *IsNull:
		return []Expr{e.X}
	case *IsBool:
		return []Expr{e.X}
	case *Distinct:
		return []Expr{e.L, e.R}
	case *Case:
		out := make([]Expr, 0, 2*len(e.Whens)+1)
		for _, w := range e.Whens {
			out = append(out, w.Cond, w.Result)
		}
		if e.Else != nil {
			out = append(out, e.Else)
		}
		return out
	case *Coalesce:
		return e.Args
	case *MinMax:
		return e.Args
	case *InList:
		return []Expr{e.X}
	}
	panic(fmt.Sprintf("scalar: unknown expression %T", e))
}

// Walk visits e and, where f returns true, what is below it.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	for _, c := range Children(e) {
		Walk(c, f)
	}
}

// Rewrite rebuilds e from the leaves up: f sees every node after its
// arguments were rewritten and returns what stands in its place. What did not change is shared.
func Rewrite(e Expr, f func(Expr) Expr) Expr {
	old := Children(e)
	var args []Expr
	for i, c := range old {
		r := Rewrite(c, f)
		if r != c && args == nil {
			args = append(make([]Expr, 0, len(old)), old[:i]...)
		}
		if args != nil {
			args = append(args, r)
		}
	}
	if args != nil {
		e = withChildren(e, args)
	}
	return f(e)
}

func withChildren(e Expr, args []Expr) Expr {
	switch e := e.(type) {
	case *Call:
		c := *e
		c.Args = args
		return &c
	case *Logic:
		return &Logic{Or: e.Or, Args: args}
	case *Not:
		return &Not{X: args[0]}
	case *IsNull:
		return &IsNull{X: args[0], Neg: e.Neg}
	case *IsBool:
		return &IsBool{X: args[0], Want: e.Want, Neg: e.Neg}
	case *Distinct:
		return &Distinct{L: args[0], R: args[1], Eq: e.Eq, Neg: e.Neg}
	case *Case:
		c := &Case{Whens: make([]When, len(e.Whens)), Typ: e.Typ}
		for i := range e.Whens {
			c.Whens[i] = When{Cond: args[2*i], Result: args[2*i+1]}
		}
		if e.Else != nil {
			c.Else = args[len(args)-1]
		}
		return c
	case *Coalesce:
		return &Coalesce{Args: args, Typ: e.Typ}
	case *MinMax:
		return &MinMax{Greatest: e.Greatest, Args: args, Typ: e.Typ}
	case *InList:
		c := *e
		c.X = args[0]
		return &c
	}
	panic(fmt.Sprintf("scalar: %T has no arguments", e))
}

// A ColSet is a set of column positions.
type ColSet struct{ bits []uint64 }

// Cols makes a set.
func Cols(cols ...int) ColSet {
	var s ColSet
	for _, c := range cols {
		s.Add(c)
	}
	return s
}

// ColRange is the set of lo, lo+1, … hi−1.
func ColRange(lo, hi int) ColSet {
	var s ColSet
	for ; lo < hi; lo++ {
		s.Add(lo)
	}
	return s
}

// Add puts a column into the set.
func (s *ColSet) Add(c int) {
	for len(s.bits) <= c/64 {
		s.bits = append(s.bits, 0)
	}
	s.bits[c/64] |= 1 << (c % 64)
}

// Has reports whether a column is in the set.
func (s ColSet) Has(c int) bool { return c/64 < len(s.bits) && s.bits[c/64]>>(c%64)&1 != 0 }

// AddAll puts the columns of another set into the set.
func (s *ColSet) AddAll(o ColSet) {
	for c := range o.All() {
		s.Add(c)
	}
}

// Empty reports whether nothing is in the set.
func (s ColSet) Empty() bool {
	for _, w := range s.bits {
		if w != 0 {
			return false
		}
	}
	return true
}

// Len counts the columns of the set.
func (s ColSet) Len() int {
	n := 0
	for range s.All() {
		n++
	}
	return n
}

// SubsetOf reports whether every column of s is in o.
func (s ColSet) SubsetOf(o ColSet) bool {
	for c := range s.All() {
		if !o.Has(c) {
			return false
		}
	}
	return true
}

// Intersects reports whether the sets share a column.
func (s ColSet) Intersects(o ColSet) bool {
	for c := range s.All() {
		if o.Has(c) {
			return true
		}
	}
	return false
}

// All yields the columns in ascending order.
func (s ColSet) All() func(func(int) bool) {
	return func(yield func(int) bool) {
		for i, w := range s.bits {
			for b := 0; w != 0; b, w = b+1, w>>1 {
				if w&1 != 0 && !yield(i*64+b) {
					return
				}
			}
		}
	}
}

// Columns is the set of columns that an expression reads.
func Columns(e Expr) ColSet {
	var s ColSet
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*Column); ok {
			s.Add(c.Index)
		}
		return true
	})
	return s
}

// MapColumns renumbers the columns that an expression reads.
func MapColumns(e Expr, f func(int) int) Expr {
	return Rewrite(e, func(e Expr) Expr {
		c, ok := e.(*Column)
		if !ok {
			return e
		}
		i := f(c.Index)
		if i == c.Index {
			return e
		}
		return &Column{Index: i, Typ: c.Typ, Name: c.Name}
	})
}

// IsConst reports whether e reads no column and no parameter and is immutable: it has
// one value (or one error) for ever.
func IsConst(e Expr) bool {
	ok := true
	Walk(e, func(e Expr) bool {
		switch e.(type) {
		case *Column, *Param:
			ok = false
		}
		return ok
	})
	return ok && VolatilityOf(e) == Immutable
}

// VolatilityOf is the greatest volatility of the functions in e. A function that
// takes values of any type through their text is stable when one of them is a
// timestamptz, whose text depends on the session's time zone.
func VolatilityOf(e Expr) Volatility {
	v := Immutable
	Walk(e, func(e Expr) bool {
		c, ok := e.(*Call)
		if !ok {
			return true
		}
		v = max(v, c.Fn.Volatility)
		for i, a := range c.Args {
			p := c.Fn.Args[min(i, len(c.Fn.Args)-1)]
			if (p == types.Any || p == types.AnyElement) && (zoned(a.Type().OID) || named(a.Type().OID)) {
				v = max(v, Stable)
			}
		}
		return true
	})
	return v
}

// HasParam reports whether e contains a Param.
func HasParam(e Expr) bool {
	found := false
	Walk(e, func(e Expr) bool {
		if _, ok := e.(*Param); ok {
			found = true
		}
		return !found
	})
	return found
}

// Equal reports whether two expressions are the same: they print the same fingerprint.
func Equal(a, b Expr) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || bytes.Equal(AppendFingerprint(nil, a), AppendFingerprint(nil, b))
}

// EqualAgg reports whether two aggregates are the same.
func EqualAgg(a, b Agg) bool {
	return bytes.Equal(AppendAggFingerprint(nil, a), AppendAggFingerprint(nil, b))
}
