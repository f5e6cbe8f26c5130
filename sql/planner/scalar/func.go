package scalar

import "github.com/helios-sql/helios-sql/sql/types"

// Volatility is pg_proc.provolatile.
type Volatility uint8

// Immutable functions may be folded and run inside views; stable ones
// (now(), current_date, anything that reads the session's time zone) may not
// run inside views until time is an input of the circuit.
const (
	Immutable Volatility = iota
	Stable
	Volatile
)

// A Func is one overload of a function, an operator (Name is its symbol; a
// prefix operator has one argument) or a cast.
type Func struct {
	// ID is unique and durable: it is part of operators' fingerprints. For a
	// function of PostgreSQL it is pg_proc.proname and the argument types, such as
	// "int4pl(int4,int4)". The implementation is found by it in sql/exec/eval.
	ID       string
	Name     string
	Args     []types.OID
	Variadic bool // the last argument repeats
	Ret      types.OID
	// NotStrict functions see NULLs; all others return NULL on a NULL argument
	// without being called.
	NotStrict  bool
	Volatility Volatility
	// Operator says that Name is an operator's symbol, Commutator the symbol with sides
	// swapped ("" none), Negator its negation.
	Operator   bool
	Commutator string
	Negator    string
}

// An AggFunc is one overload of an aggregate function.
type AggFunc struct {
	ID   string // such as "sum(int4)"
	Name string
	Args []types.OID // empty: takes no argument (count(*))
	Ret  types.OID
	// Linear: an accumulator of fixed size, updated from the change alone
	// (count, sum, avg, bool_and, …). Otherwise ordered: it needs an index of the group's values (min, max).
	Linear bool
}

// CastContext is how freely a cast may be applied, as pg_cast.castcontext.
type CastContext uint8

// The cast contexts, each containing the ones before.
const (
	ImplicitCast CastContext = iota
	AssignmentCast
	ExplicitCast
)

// CastMethod says how a cast is done.
type CastMethod uint8

// The ways of casting.
const (
	NoCast     CastMethod = iota // there is none in this context
	Relabel                      // same representation: nothing to do
	FuncCast                     // call Func
	Unresolved                   // only for an Unknown literal: parse its text as the target
)
